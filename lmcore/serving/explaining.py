"""Explaining what the running prediction server says: black-box methods that only ask it about changed texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.cost import calls_of, game_options
from lmcore.analysis.games import Tree, play
from lmcore.analysis.methods import ATTRIBUTION, is_black_box
from lmcore.analysis.paths import SMALL
from lmcore.data.stretches import phrase_places, sentence_places
from lmcore.errors import InputError, OptionError, ServerError, UnknownError
from lmcore.models.text_tokens import word_spans
from lmcore.types import Input, Report

# Sends texts and returns the server's answer; such as functools.partial(lmcore.serving.send, workspace).
Client = Callable[[Sequence[Input]], Mapping[str, Any]]

AT_ONCE = 64
NOTHING = "."
_CUTS = {"word": word_spans, "phrase": phrase_places, "sentence": sentence_places}


@dataclass(frozen=True, eq=False)
class ServedAttribution:
    """Scores of a text's words towards a class that a server gives.

    Attributes:
        units: ``column``, ``unit``, ``start``, ``end`` (characters) and ``score``: by how much the unit raises the
            class's probability, or, against another class, the difference of both.
        label: the class.
        against: the class that it is held against, or empty.
        method: the method's name.
        parameters: every option.
        value: the probability for the text as it is.
        baseline_value: the probability with every unit taken away.
        completeness_error: see `lmcore.analysis.Attribution`.
        calls: how many texts the server was asked about.
        version: the model that answered.
    """

    units: pd.DataFrame
    label: str
    against: str
    method: str
    parameters: Mapping[str, Any]
    value: float
    baseline_value: float
    completeness_error: float
    calls: int
    version: str


def attribute_served(
    client: Client,
    text: Input,
    target: str | None = None,
    *,
    against: str = "",
    method: str = "occlusion",
    report: Report | None = None,
    **options: object,
) -> ServedAttribution:
    """Score the words of a text by what a server says to the text without them.

    Nothing but texts goes to the server, so units are words, phrases or sentences, and what is taken away is left out of the
    text; of a column with nothing left a full stop is sent.

    Args:
        client: sends texts and returns ``{"predictions": […]}``; see `lmcore.serving.send`.
        text: a text, or each of the columns that the server's model reads.
        target: the class that is explained; the one that the server gives where None.
        against: the class that it is held against.
        method: a black-box method of the registry ATTRIBUTION.
        report: progress and cancellation.
        **options: the method's options; ``baseline`` is always ``drop``.

    Raises:
        InputError: the text has no words, or the server's model gives no class probabilities.
        OptionError: the method needs gradients, or an option is out of range.
        UnknownError: there is no such class.
        ServerError: the server did not answer as it should, or its model changed meanwhile.
        Cancelled: the report asked to stop.
    """
    if not is_black_box(method):
        names = ", ".join(name for name in ATTRIBUTION if is_black_box(name))
        raise OptionError(f"{method} needs the model itself: through a server take one of {names}.")
    parameters = ATTRIBUTION[method].check({**options, "baseline": "drop"})
    columns = {"text": text} if isinstance(text, str) else dict(text)
    units = _units(columns, parameters["unit"])
    tree = _halves(tuple(range(len(units))))
    asking = _Asking(client, columns, units, not isinstance(text, str), target, against)
    asking.begin(text)
    game = ATTRIBUTION[method].load()(tree, **game_options(parameters))
    calls = calls_of(method, tree, parameters)
    (played,) = play([game], [len(units)], asking.values, calls=calls, report=report)
    difference = float(played.value[0] - played.nothing[0])
    missed = abs(float(played.scores.sum()) - difference) / max(abs(difference), SMALL)
    frame = pd.DataFrame(units, columns=["column", "unit", "start", "end"]).assign(score=played.scores[:, 0])
    return ServedAttribution(
        frame, asking.label, against, method, parameters, float(played.value[0]), float(played.nothing[0]),
        missed if played.adds_up else float("nan"), played.calls, asking.version,
    )  # fmt: skip


class _Asking:
    """Says how probable the class is for texts without some of their units."""

    def __init__(
        self,
        client: Client,
        columns: Mapping[str, str],
        units: Sequence[tuple[str, str, int, int]],
        named: bool,
        target: str | None,
        against: str,
    ) -> None:
        self._client, self._columns, self._units, self._named = client, columns, units, named
        self._target, self._against = target, against
        self.label, self.version = target or "", ""

    def begin(self, text: Input) -> None:
        """Ask about the text itself, and settle what is explained."""
        (first,) = self._ask([text])
        if not first["probabilities"]:
            raise InputError(
                "The server's model gives no class probabilities: explain it in Analyse, with the model itself."
            )
        self.label = self._target or str(first["label"])
        self.version = str(first["version"])
        for label in filter(None, (self.label, self._against)):
            if label not in first["probabilities"]:
                raise UnknownError("class", label, first["probabilities"])

    def values(self, numbers: np.ndarray, kept: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the class's probability, less that of the one it is held against, for each row of kept units."""
        found = []
        for start in range(0, len(kept), AT_ONCE):
            for answer in self._ask([self._without(row) for row in kept[start : start + AT_ONCE]]):
                if str(answer["version"]) != self.version:
                    raise ServerError(
                        f"The server changed from {self.version} to {answer['version']} meanwhile: explain the text again."
                    )
                shares = answer["probabilities"]
                found.append(np.array([shares[self.label] - shares.get(self._against, 0.0)]))
        return found

    def _ask(self, texts: Sequence[Input]) -> list[Mapping[str, Any]]:
        answers = list(self._client(texts).get("predictions", ()))
        wrong = next((answer["error"] for answer in answers if "error" in answer), None)
        if wrong is not None or len(answers) != len(texts):
            raise ServerError(f"The server could not predict a text: {wrong or 'it left some unanswered'}")
        return answers

    def _without(self, kept: np.ndarray) -> Input:
        texts = {}
        for name, text in self._columns.items():
            pieces, place = [], 0
            for (column, _, start, end), stays in zip(self._units, kept, strict=True):
                if column == name and not stays:
                    pieces.append(text[place:start])
                    place = end
            rest = " ".join("".join([*pieces, text[place:]]).split())
            texts[name] = rest or NOTHING
        return texts if self._named else texts["text"]


def _units(columns: Mapping[str, str], kind: str) -> list[tuple[str, str, int, int]]:
    """Return column, words, first character and the one after the last of each unit.

    Raises:
        OptionError: the unit is the token, which only the model itself knows.
        InputError: there is none.
    """
    if kind not in _CUTS:
        raise OptionError(f"A server knows no {kind}s: take one of {', '.join(_CUTS)} as the unit.")
    found = [
        (name, text[start:end].strip(), start, end)
        for name, text in columns.items()
        for start, end in _CUTS[kind](text)
        if text[start:end].strip()
    ]
    if not found:
        raise InputError("The text has no words that could be taken away: give one with words.")
    return found


def _halves(units: tuple[int, ...]) -> Tree:
    if len(units) == 1:
        return Tree(units)
    middle = len(units) // 2
    return Tree(units, (_halves(units[:middle]), _halves(units[middle:])))
