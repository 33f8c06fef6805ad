"""What a user can pick: registries of methods with their options.

A registry is a mapping from a name to a `Method`. An entry says what it is in a sentence and which options it
takes, and names the function that does it as an import string, so that reading a registry imports nothing
heavy. Forms, command-line help, `lmcore methods --json` and the README's tables are all made from these.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from lmcore.errors import OptionError, UnknownError

Config = TypeVar("Config")
OptionKind = Literal["int", "float", "bool", "choice", "text"]

REGISTRIES: dict[str, str] = {
    "tasks": "lmcore.tasks:TASKS",
    "samples": "lmcore.data.samples:SAMPLES",
    "issues": "lmcore.data.issues:ISSUES",
    "cleaning": "lmcore.data.clean:CLEANING",
    "models": "lmcore.models.catalogue:MODELS",
    "training": "lmcore.training.methods:TRAINING",
    "rewards": "lmcore.training.reinforcement.rewards:REWARDS",
    "compression": "lmcore.training.compression.methods:COMPRESSION",
    "attribution": "lmcore.analysis.attribution.methods:ATTRIBUTION",
    "head roles": "lmcore.analysis.attention.role_scores:HEAD_ROLES",
    "head importance": "lmcore.analysis.attention.importance_methods:IMPORTANCE",
    "properties": "lmcore.analysis.probes.methods:PROPERTIES",
    "probes": "lmcore.analysis.probes.methods:PROBES",
    "similarity": "lmcore.analysis.similarity.methods:SIMILARITY",
    "edits": "lmcore.analysis.counterfactual.methods:EDITS",
    "lenses": "lmcore.analysis.lens.methods:LENSES",
    "patching": "lmcore.analysis.causal.methods:PATCHING",
    "ablated": "lmcore.analysis.causal.methods:ABLATED",
    "ablation": "lmcore.analysis.causal.methods:ABLATIONS",
    "alignment": "lmcore.models.linking:ALIGNMENT",
    "components": "lmcore.analysis.sources:COMPONENTS",
    "projection": "lmcore.projection.methods:PROJECTION",
    "outliers": "lmcore.projection.methods:OUTLIERS",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a method: enough to draw a form field, to check a value and to write help.

    ``empty`` says what an optional one is where nothing is given.
    """

    name: str
    kind: OptionKind
    default: object
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    empty: str = ""

    def check(self, value: object) -> Any:
        """Return the value in the option's type.

        Raises:
            OptionError: it is of another type, out of range or not among the choices.
        """
        if value is None and self.optional:
            return None
        converted = self._convert(value)
        low, high = self.minimum, self.maximum
        if (low is not None and not converted >= low) or (high is not None and not converted <= high):
            raise OptionError(f"The option {self.name} is {value!r}: give {self.takes()}.")
        if self.choices and converted not in self.choices:
            raise OptionError(f"The option {self.name} is {value!r}: give {self.takes()}.")
        return converted

    def takes(self) -> str:
        """Say in a few words which values are valid."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        noun = {"int": "a whole number", "float": "a number", "bool": "true or false"}.get(self.kind, "a text")
        low = "" if self.minimum is None else f" from {_plain(self.minimum)}"
        high = "" if self.maximum is None else f" up to {_plain(self.maximum)}"
        return noun + low + high + (", or nothing" if self.optional else "")

    def _convert(self, value: object) -> Any:
        wrong = OptionError(f"The option {self.name} is {value!r}: give {self.takes()}.")
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
            raise wrong
        if self.kind in {"choice", "text"}:
            if isinstance(value, str):
                return value
            raise wrong
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise wrong
        try:
            number = float(value)
        except ValueError:
            raise wrong from None
        if self.kind == "float":
            return number
        if not number.is_integer():
            raise wrong
        return int(number)


@dataclass(frozen=True, slots=True)
class Method:
    """One thing a user can pick.

    Attributes:
        name: its identifier, stored in results and given on the command line.
        title: what a page shows.
        summary: one sentence that says what it does.
        target: ``package.module:attribute`` that does it.
        options: its settings.
        facts: further JSON values that the registry's kind needs (columns of a task, languages of a sample …).
    """

    name: str
    title: str
    summary: str
    target: str
    options: tuple[Option, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """Import and return what `target` names."""
        return load_target(self.target)

    def check(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return all options with defaults filled in and given values checked.

        Raises:
            OptionError: a value is not valid, or the method has no such option.
        """
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                raise OptionError(f"{self.name} has no option {name!r}; it takes: {', '.join(known) or 'none'}.")
        return {name: option.check(given.get(name, option.default)) for name, option in known.items()}

    def describe(self) -> dict[str, Any]:
        """Return the entry as JSON-like values."""
        return {
            "title": self.title,
            "summary": self.summary,
            "options": {option.name: _describe_option(option) for option in self.options},
            **self.facts,
        }


class Registry(Mapping[str, Method]):
    """Methods of one kind by name, in the order in which they are offered."""

    def __init__(self, kind: str, *methods: Method) -> None:
        self.kind = kind
        self._methods = {method.name: method for method in methods}

    def __getitem__(self, name: str) -> Method:
        """Return a method.

        Raises:
            UnknownError: no method has this name; the message lists those that exist.
        """
        if name not in self._methods:
            raise UnknownError(self.kind, str(name), self._methods)
        return self._methods[name]

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)

    def describe(self) -> dict[str, Any]:
        """Return every entry as JSON-like values."""
        return {name: method.describe() for name, method in self._methods.items()}


def with_settings(config: Config, settings: Mapping[str, Any], *, name: str) -> Config:
    """Return a configuration dataclass with some of its fields set.

    Args:
        config: the configuration.
        settings: fields and their values.
        name: of the function that takes them, for the message.

    Raises:
        OptionError: it has no such field.
    """
    known = [each.name for each in fields(config)]  # type: ignore[arg-type]
    for key in settings:
        if key not in known:
            raise OptionError(f"{name} has no option {key!r}; it takes: {', '.join(known)}.")
    return replace(config, **settings)  # type: ignore[type-var]


def load_target(target: str) -> Any:
    """Import ``package.module:attribute`` and return the attribute."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def all_registries() -> dict[str, Registry]:
    """Return every registry of LMScope by its kind."""
    return {kind: load_target(target) for kind, target in REGISTRIES.items()}


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    empty: str = "",
) -> Any:
    """Declare a field of a configuration dataclass that is also an `Option`.

    Args:
        default: its default value.
        help: one sentence for the form and for the command line.
        minimum: smallest valid number.
        maximum: largest valid number.
        choices: the valid texts.
        methods: the methods that read it; empty where all do.
        empty: what it is where nothing is given, for a field that may be None.
    """
    facts = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "methods": methods,
        "empty": empty,
    }
    return field(default=default, metadata=facts)


def same_option(config: type, name: str, *, methods: tuple[str, ...] = ()) -> Any:
    """Declare a field that is the same option as one of another configuration.

    Args:
        config: the dataclass that declares it.
        name: of its field.
        methods: the methods that read it here; empty where all do.
    """
    known = next(item for item in fields(config) if item.name == name)
    return field(default=known.default, metadata={**known.metadata, "methods": methods})


def options_of(config: type, method: str = "") -> tuple[Option, ...]:
    """Return the options that a configuration dataclass declares, in order.

    Args:
        config: a dataclass whose fields were made with `option`; other fields are passed over.
        method: keep only what this method reads; empty keeps all.
    """
    found = []
    for item in fields(config):
        readers = item.metadata.get("methods", ())
        if "help" in item.metadata and (not method or not readers or method in readers):
            found.append(_option_of(item))
    return tuple(found)


def _option_of(item: "Field[Any]") -> Option:
    facts = {key: value for key, value in item.metadata.items() if key != "methods"}
    annotation = item.type if isinstance(item.type, str) else getattr(item.type, "__name__", str(item.type))
    kind: OptionKind = "choice" if facts["choices"] else "text"
    for name in ("bool", "int", "float"):
        if annotation.split(" | ")[0] == name:
            kind = name
    default = None if item.default is MISSING else item.default
    return Option(name=item.name, kind=kind, default=default, optional="None" in str(item.type), **facts)


def _plain(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:g}"


def _describe_option(item: Option) -> dict[str, Any]:
    described = {key: value for key, value in asdict(item).items() if key != "name"}
    return {key: value for key, value in described.items() if value not in (None, (), False, "") or key == "default"}
