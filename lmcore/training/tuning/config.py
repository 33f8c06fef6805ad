"""What a search is told."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from lmcore.errors import OptionError
from lmcore.methods import option, options_of
from lmcore.training.config import TrainConfig
from lmcore.training.methods import check_method
from lmcore.training.tuning.space import Space, check_space, default_space, space_from_dict, space_to_dict


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """A search: what it begins with, what it chooses from, and how.

    The fields made with `option` are the form of the Train page and the flags of ``lmcore search``.

    Attributes:
        base: the configuration of every trial, apart from what is searched.
        space: setting to `Range` or `Choices`; empty takes what suits task and way of training.
    """

    base: TrainConfig
    space: Space
    trials: int = option(20, "How many settings are tried in all.", minimum=1, maximum=10_000)
    sampler: str = option(
        "tpe", "How they are chosen: tpe learns from the results, random does not.", choices=("tpe", "random")
    )
    pruner: str = option(
        "median",
        "When a trial is stopped early: median, when it is worse than half of the finished ones were at the same epoch; "
        "halving lets one of three go on at epochs 1, 3, 9 and so on; none never.",
        choices=("median", "halving", "none"),
    )
    startup: int = option(
        5,
        "Trials at the beginning that are drawn at random, and before whose end median stops none.",
        minimum=1,
        maximum=1000,
    )
    search_seed: int = option(
        0, "Seed of the choice; that of the training is the same in all trials.", minimum=0, maximum=2**31
    )
    register: bool = option(True, "Train the best at the end, measure it on the test split and register it.")

    def checked(self) -> "SearchConfig":
        """Return the search with every value checked and in its type.

        Raises:
            OptionError: a value or a dimension is none that there is.
        """
        from lmcore.training.job import from_anywhere

        base = self.base.checked()
        check_method(base.method, base.task, base.model if base.model.startswith("config:") else "")
        space = check_space(space_from_dict(self.space) or default_space(base), base.method, base.task)
        values = {o.name: o.check(getattr(self, o.name)) for o in options_of(SearchConfig)}
        return replace(self, base=replace(base, model=from_anywhere(base.model)), space=space, **values)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        options = {o.name: getattr(self, o.name) for o in options_of(SearchConfig)}
        return {"base": self.base.to_dict(), "space": space_to_dict(self.space), **options}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SearchConfig":
        """Read what `to_dict` wrote.

        Raises:
            OptionError: there is no such setting.
        """
        known = {item.name for item in fields(cls)}
        for name in values:
            if name not in known:
                raise OptionError(f"A search has no setting {name!r}; it has: {', '.join(sorted(known))}.")
        given = {**values, "base": TrainConfig.from_dict(values["base"]), "space": space_from_dict(values["space"])}
        return cls(**given).checked()
