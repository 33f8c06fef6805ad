"""What a search may choose from: ranges and lists of values for the settings of a way of training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from lmcore.errors import OptionError
from lmcore.methods import Option
from lmcore.training.config import TrainConfig
from lmcore.training.methods import options_for

REWARDED = (
    "reward",
    "second_reward",
    "second_weight",
    "words",
    "pattern",
    "classifier",
    "label",
    "new_tokens",
    "temperature",
)
NOT_SEARCHED = ("seed", "save_steps", "precision", *REWARDED)
"""A seed chosen on dev is luck that does not last; what is rewarded is the aim itself; others leave the result as it is."""
_BOOLS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; with ``log`` every order of magnitude is as likely."""

    low: float
    high: float
    log: bool = False

    def held(self, value: float) -> float:
        """Return the number of the range that is nearest to a value."""
        return min(max(value, self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}" + (":log" if self.log else "")


@dataclass(frozen=True, slots=True)
class Choices:
    """Some values, each as likely at first."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(
            str(v).lower() if isinstance(v, bool) else f"{v:g}" if _is_float(v) else str(v) for v in self.values
        )


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def searchable(method: str, task: str) -> dict[str, Option]:
    """Return the settings that can be searched for a way of training and a task, by name."""
    return {item.name: item for item in options_for(method, task) if item.name not in NOT_SEARCHED}


def default_space(config: TrainConfig) -> dict[str, Dimension]:
    """Return a space that suits a configuration's task and way of training.

    The number of epochs is not in it: the best epoch is kept in any case, and epochs of runs of different lengths, whose
    learning rates fall at different times, are no fair match for stopping early.
    """
    from lmcore.training.defaults import default_settings

    usual = default_settings(config.task, config.method).get("learning_rate", TrainConfig("usual").learning_rate)
    known = searchable(config.method, config.task)
    proposed: dict[str, Dimension] = {
        "strength": Range(1e-4, 1e3, log=True),
        "learning_rate": Range(float(f"{usual / 10:g}"), float(f"{usual * 10:g}"), log=True),
        "layers": Range(1, 6),
        "width": Choices((64, 128, 256)),
        "heads": Choices((2, 4, 8)),
        "rank": Choices((4, 8, 16, 32)),
        "adapter_dropout": Range(0.0, 0.3),
    }
    if "epochs" in known:
        proposed |= {"batch_size": Choices((8, 16, 32)), "weight_decay": Range(1e-3, 0.3, log=True)}
    return {name: dimension for name, dimension in proposed.items() if name in known}


def check_space(space: Space, method: str, task: str) -> dict[str, Dimension]:
    """Return a space with every value in its option's type.

    Raises:
        OptionError: a setting cannot be searched, a value is none that it takes, or no width goes with any number of heads.
    """
    if not space:
        raise OptionError("There is nothing to search: give a range or some choices for one setting or more.")
    known = searchable(method, task)
    checked = {name: _checked(_known(known, name, method), dimension) for name, dimension in space.items()}
    if {"width", "heads"} <= set(checked):
        pairs = product(_listed(checked["width"]), _listed(checked["heads"]))
        if not any(fits({"width": width, "heads": heads}) for width, heads in pairs):
            raise OptionError(
                "No width of the space divides into any of its numbers of heads with an even number of features each: take "
                "multiples of twice the heads, such as width=64,128 and heads=2,4."
            )
    return checked


def fits(values: Mapping[str, Any]) -> bool:
    """Say whether a width divides into heads of an even number of features; what is not given is not judged."""
    width, heads = values.get("width"), values.get("heads")
    return not width or not heads or width % (2 * heads) == 0


def contains(dimension: Dimension, value: Any) -> bool:
    """Say whether a space allows a value."""
    if isinstance(dimension, Choices):
        return value in dimension.values
    return isinstance(value, int | float) and dimension.low <= value <= dimension.high


def largest(config: TrainConfig, space: Space) -> TrainConfig:
    """Return the configuration with the values that take the most memory and time: the largest that there are."""
    costly = ("epochs", "max_length", "batch_size", "accumulation", "layers", "width", "vocabulary", "rank")
    values = {name: max(_ends(space[name])) for name in costly if name in space}
    if "heads" in space:
        listed = _listed(space["heads"])
        width = values.get("width", config.width)
        values["heads"] = next((heads for heads in listed if fits({"width": width, "heads": heads})), listed[0])
        values |= {} if fits(values) else {"width": -(-values["width"] // (2 * values["heads"])) * 2 * values["heads"]}
    return replace(config, **values)


def parse_dimension(name: str, text: str, method: str, task: str, *, kind: str = "") -> Dimension:
    """Read a dimension: ``low:high`` or ``low:high:log`` is a range, values with commas between them are choices.

    Args:
        name: the setting.
        text: what was written.
        method: the way of training.
        task: the task.
        kind: ``range`` or ``choices`` where it has to be that.

    Raises:
        OptionError: it is neither, or the setting does not take such values.
    """
    item = _known(searchable(method, task), name, method)
    if kind == "range" or (not kind and ":" in text):
        low, _, rest = text.partition(":")
        high, _, scale = rest.partition(":")
        if scale.strip() not in {"", "log"} or not high.strip():
            raise OptionError(
                f"The range of {name} is {text!r}: write low:high or low:high:log, such as 1e-5:1e-3:log."
            )
        return _checked(item, Range(item.check(low.strip()), item.check(high.strip()), bool(scale.strip())))
    values = [part.strip() for part in text.split(",") if part.strip()]
    return _checked(item, Choices(tuple(_BOOLS.get(v.lower(), v) if item.kind == "bool" else v for v in values)))


def space_to_dict(space: Space) -> dict[str, Any]:
    """Return JSON-like values: a range as a mapping, choices as a list."""
    return {name: asdict(d) if isinstance(d, Range) else list(d.values) for name, d in space.items()}


def space_from_dict(values: Mapping[str, Any]) -> dict[str, Dimension]:
    """Read what `space_to_dict` wrote; lists and ``(low, high, "log")`` mappings that a user writes are the same.

    Raises:
        OptionError: a dimension is neither a range nor a list.
    """
    found: dict[str, Dimension] = {}
    for name, value in values.items():
        if isinstance(value, Range | Choices):
            found[name] = value
        elif isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
            found[name] = Range(value["low"], value["high"], bool(value.get("log", False)))
        elif isinstance(value, list | tuple):
            found[name] = Choices(tuple(value))
        else:
            raise OptionError(
                f"The space of {name} is {value!r}: give low, high and log of a range, or a list of choices."
            )
    return found


def _known(known: Mapping[str, Option], name: str, method: str) -> Option:
    if name not in known:
        raise OptionError(f"{name} cannot be searched for {method}: choose among {', '.join(known)}.")
    return known[name]


def _checked(item: Option, dimension: Dimension) -> Dimension:
    if isinstance(dimension, Choices):
        values = tuple(dict.fromkeys(item.check(value) for value in dimension.values))
        if len(values) < 2:
            raise OptionError(f"The choices of {item.name} are {list(values)}: give two or more, or leave it out.")
        return Choices(values)
    if item.kind not in {"int", "float"}:
        raise OptionError(f"{item.name} is no number: give choices, {item.takes()}.")
    low, high = item.check(dimension.low), item.check(dimension.high)
    if low is None or high is None or not low < high:
        raise OptionError(f"The range of {item.name} goes from {low} to {high}: the first has to be the smaller one.")
    if dimension.log and low <= 0:
        raise OptionError(
            f"The range of {item.name} begins at {low:g}: by orders of magnitude it has to begin above 0."
        )
    return Range(low, high, dimension.log)


def _ends(dimension: Dimension) -> list[Any]:
    """Return the values of a list of choices, or the ends of a range."""
    if isinstance(dimension, Choices):
        return [value for value in dimension.values if value is not None]
    return [dimension.low, dimension.high]


def _listed(dimension: Dimension) -> list[Any]:
    """Return every value of a dimension of whole numbers."""
    return (
        _ends(dimension) if isinstance(dimension, Choices) else list(range(int(dimension.low), int(dimension.high) + 1))
    )


def _is_float(value: Any) -> bool:
    return isinstance(value, float)
