"""What each row adds to the sums that metrics are made of: enough to measure any resample or slice of the rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Tally:
    """The statistics of every row, and how their sums become metrics.

    Attributes:
        rows: what each row adds, float64 of shape (rows, statistics).
        read: turns sums of shape (…, statistics) into metrics by name, each of shape (…). The first metric is one that
            any slice of the rows can be judged by.
    """

    rows: np.ndarray
    read: Callable[[np.ndarray], Mapping[str, np.ndarray]]

    def figures(self) -> dict[str, float]:
        """Return the metrics of all rows."""
        return {name: float(value) for name, value in self.read(self.rows.sum(axis=0)).items()}

    def part(self, chosen: np.ndarray) -> "Tally":
        """Return the tally of some rows, named by a mask or by their positions."""
        return Tally(self.rows[chosen], self.read)
