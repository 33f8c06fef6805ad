"""Classes of about equally many examples, made of numbers."""

from itertools import pairwise

import numpy as np

from lmcore.errors import DataError


class Bins:
    """Classes of numbers, with their ends where quantiles of some of them stand.

    Args:
        numbers: those that the ends come from.
        bins: how many classes there should be; fewer where many numbers are equal.
        what: what the numbers are, for the message.
        unit: is set after each class's name.

    Raises:
        DataError: all numbers are equal, or there are none.
    """

    def __init__(self, numbers: np.ndarray, bins: int, *, what: str, unit: str = "") -> None:
        numbers = np.asarray(numbers, dtype=float)
        if not len(numbers) or numbers.min() == numbers.max():
            raise DataError(f"{what} is the same for all rows to probe on: there is nothing to tell apart.")
        ends = np.quantile(numbers, np.arange(1, bins) / bins, method="inverted_cdf")
        # A class ends with its upper end; one that holds the largest number needs no end of its own.
        self._ends = np.unique(ends[ends < numbers.max()])
        if not len(self._ends):
            self._ends = np.array([numbers[numbers < numbers.max()].max()])
        self._unit = f" {unit}" if unit else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, from the smallest numbers to the largest."""
        marks = [f"{end:g}" for end in self._ends]
        middle = [f"above {low} to {high}" for low, high in pairwise(marks)]
        return tuple(f"{name}{self._unit}" for name in (f"up to {marks[0]}", *middle, f"above {marks[-1]}"))

    def name(self, numbers: np.ndarray) -> np.ndarray:
        """Return the class of each number, as text."""
        found: np.ndarray = np.array(self.names, dtype=object)[np.searchsorted(self._ends, numbers, side="left")]
        return found
