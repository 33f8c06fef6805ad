"""What each row adds to the sums that metrics are made of: enough to measure any resample or slice of the rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.tasks.base import Task


@dataclass(frozen=True, eq=False)
class Tally:
    """The statistics of every row, and how their sums become metrics.

    Attributes:
        rows: what each row adds, float64 of shape (rows, statistics).
        read: turns sums of shape (…, statistics) into metrics by name, each of shape (…). The first metric is one that
            any slice of the rows can be judged by. It may be NaN where rows hold nothing to be judged, such as sentences
            without an entity in which none was found.
    """

    rows: np.ndarray
    read: Callable[[np.ndarray], Mapping[str, np.ndarray]]

    def figures(self) -> dict[str, float]:
        """Return the metrics of all rows."""
        return {name: float(value) for name, value in self.read(self.rows.sum(axis=0)).items()}

    def part(self, chosen: np.ndarray) -> "Tally":
        """Return the tally of some rows, named by a mask or by their positions."""
        return Tally(self.rows[chosen], self.read)


def share_tally(table: "pd.DataFrame") -> Tally:
    """Return the tally of a table by which all that is known of a row is whether it is right."""
    right = table["correct"].to_numpy(dtype=float)
    rows = np.column_stack([right, np.ones(len(right))])
    return Tally(rows, lambda sums: {"share_right": sums[..., 0] / sums[..., 1]})


def like_tallies(task: "Task", tables: "Sequence[pd.DataFrame]") -> list[Tally]:
    """Return tallies of several tables that have the same metrics.

    Where a table was kept before the task wrote its counts beside the rows, all are judged by the share of right rows.
    """
    found = [task.tally(table) for table in tables]
    alike = len({tuple(tally.figures()) for tally in found}) <= 1
    return found if alike else [share_tally(table) for table in tables]
