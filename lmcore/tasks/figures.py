"""The figures that say how good predictions are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that says how good predictions are.

    Attributes:
        name: its identifier.
        title: what a page shows.
        unit: what its axis says, such as ``0 to 1``.
        higher: whether more is better.
        maximum: the largest value it can have, or None.
    """

    name: str
    title: str
    unit: str = "0 to 1"
    higher: bool = True
    maximum: float | None = 1.0

    def show(self, value: float) -> str:
        """Return a value as text: three decimals for a share of 1, one for anything larger."""
        return f"{value:.3f}" if self.maximum == 1 else f"{value:.1f}"

    def better(self, value: float, other: float) -> bool:
        """Say whether a value is better than another."""
        return value > other if self.higher else value < other


@dataclass(frozen=True, eq=False)
class Scores:
    """How good predictions are.

    Attributes:
        metrics: name to value.
        intervals: name to the lower and upper end of its 95 % bootstrap interval.
        tables: further frames by name (``by_class``, ``confusion`` …).
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    tables: "Mapping[str, pd.DataFrame]"
