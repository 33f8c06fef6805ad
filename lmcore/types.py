"""The references and records that every stage shares."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lmcore.errors import InputError

ModelKind = Literal["registry", "folder", "gguf", "packaged", "config", "hub", "auto"]
TargetKind = Literal["class", "tag", "span", "phrase", "token", "link"]

Input = str | Mapping[str, str]
"""What a model reads of one row: its text, or each of its texts by the column's name."""

SPLITS = ("train", "dev", "test")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIXES: dict[str, ModelKind] = {
    "folder": "folder",
    "gguf": "gguf",
    "packaged": "packaged",
    "config": "config",
    "hub": "hub",
}


def check_name(name: str, what: str) -> str:
    """Return a name that is safe as a folder and in a link.

    Raises:
        InputError: it is empty, longer than 64 characters or has others than letters, digits, ``.``, ``_``, ``-``.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"The {what} {name[:80]!r} is not a usable name: take 1 to 64 letters, digits, dots, dashes or "
            "underscores, beginning with a letter or digit."
        )
    return name


def count_of(number: int, noun: str) -> str:
    """Return how many there are in words that agree: ``1 row``, ``1,200 rows``; the noun takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model: its kind, its name and, for a registered one, its version number or alias.

    Text forms: ``models:/name@champion``, ``models:/name/3``, ``folder:PATH``, ``gguf:PATH``,
    ``packaged:NAME``, ``config:NAME``, ``hub:ORG/NAME``. A text without a prefix has the kind ``auto`` and is
    resolved by `lmcore.models.resolve_model`.
    """

    kind: ModelKind
    name: str
    version: str = ""

    @classmethod
    def parse(cls, text: "str | ModelRef") -> "ModelRef":
        """Read the text form.

        Raises:
            InputError: the text is empty, or a registered name has neither a version nor an alias.
        """
        if isinstance(text, ModelRef):
            return text
        if text.startswith("models:/"):
            match = re.fullmatch(r"models:/([^/@]+)[/@]([^/@]+)", text)
            if not match:
                raise InputError(f"{text!r} is not a registered model: write models:/name/3 or models:/name@champion.")
            return cls("registry", check_name(match[1], "model name"), match[2])
        prefix, _, rest = text.partition(":")
        if rest and prefix in _PREFIXES:
            return cls(_PREFIXES[prefix], rest)
        if not text.strip():
            raise InputError("No model is named: give a name such as packaged:all-MiniLM-L6-v2.")
        return cls("auto", text)

    def __str__(self) -> str:
        if self.kind == "registry":
            return f"models:/{self.name}{'/' if self.version.isdigit() else '@'}{self.version}"
        return self.name if self.kind == "auto" else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """Which stored data: a name, a version number from 1 and, for one part of it, the split.

    Text form: ``name@3`` or ``name@3:test``.
    """

    name: str
    version: int
    split: str = ""

    @classmethod
    def parse(cls, text: "str | DatasetRef") -> "DatasetRef":
        """Read the text form.

        Raises:
            InputError: the text has another form.
        """
        if isinstance(text, DatasetRef):
            return text
        match = re.fullmatch(rf"({NAME.pattern})@(\d{{1,9}})(?::({'|'.join(SPLITS)}))?", text)
        if not match:
            raise InputError(f"{text[:80]!r} is not a stored data set: write name@version, for example feedback-en@2.")
        return cls(match[1], int(match[2]), match[3] or "")

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" + (f":{self.split}" if self.split else "")


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a text: characters ``start`` (included) to ``end`` (excluded)."""

    start: int
    end: int
    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said about one row.

    Attributes:
        id: the row's id.
        label: the class, or empty where a task has none.
        score: the probability of ``label`` or of ``text``, 0 to 1.
        probabilities: class name to probability; they sum to 1 where classes exclude each other.
        spans: labelled stretches of the input (entities, answers).
        text: generated or extracted text.
    """

    id: int
    label: str = ""
    score: float = 0.0
    probabilities: Mapping[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be explained: a class, a tag of a stretch, an output phrase …, perhaps against another.

    Attributes:
        kind: what sort of output it is.
        label: the class or tag.
        start: first position of the stretch it is about, or 0.
        end: position after its last one, or 0 for the whole.
        against: the label it is held against ("why A rather than B"), or empty.
    """

    kind: TargetKind
    label: str = ""
    start: int = 0
    end: int = 0
    against: str = ""


class Report(Protocol):
    """Where long work says how far it is, and asks whether to go on."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Say the share that is done, 0 to 1, and what is being done."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record measured values at a step."""
        ...

    def check(self) -> None:
        """Raise `Cancelled` when the user asked to stop."""
        ...


class Silent:
    """A `Report` that says nothing and never stops."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Do nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Go on."""


class Part:
    """A `Report` for one part of longer work: maps its 0 to 1 onto a stretch of the whole's."""

    def __init__(self, whole: Report, start: float, end: float) -> None:
        self._whole, self._start, self._width = whole, start, end - start

    def progress(self, fraction: float, message: str = "") -> None:
        """Say the share of this part that is done."""
        self._whole.progress(self._start + self._width * min(max(fraction, 0.0), 1.0), message)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Pass the values on."""
        self._whole.metrics(step, values)

    def check(self) -> None:
        """Raise `Cancelled` when the whole was asked to stop."""
        self._whole.check()
