"""A data set in memory: canonical columns, where it came from and what was done to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from lmcore.errors import DataError
from lmcore.fingerprint import fingerprint, fingerprint_frame
from lmcore.types import SPLITS, DatasetRef


@dataclass(frozen=True, eq=False)
class TextDataset:
    """Rows for one task.

    Attributes:
        name: what the user calls it.
        task: the task's name.
        frame: ``id`` (int64, the row's number from 0 in the file it came from, kept through cleaning and splitting),
            the task's columns as strings (an empty string is a missing value), ``split`` where it was split
            (train, dev, test), and the file's other columns.
        source: the file, sample or hub data set that it was read from.
        ref: its stored version, or None while it is not stored.
        parent: the stored version that it was made from.
        operation: what was done to the parent: ``{"name": "split", "seed": 0, …}``.
    """

    name: str
    task: str
    frame: pd.DataFrame
    source: str = ""
    ref: DatasetRef | None = None
    parent: DatasetRef | None = None
    operation: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the task, and of every column name and cell."""
        return fingerprint(self.task, fingerprint_frame(self.frame))

    @property
    def called(self) -> str:
        """What messages call it: its reference where it is stored, else its name in quotes."""
        return str(self.ref) if self.ref else repr(self.name)

    @property
    def is_split(self) -> bool:
        """Whether the rows carry a split."""
        return "split" in self.frame.columns

    def part(self, split: str) -> "TextDataset":
        """Return the rows of one split.

        Raises:
            DataError: the data set was not split, or has no such split.
        """
        if split not in SPLITS:
            raise DataError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
        if not self.is_split:
            raise DataError(f"The data set {self.name!r} is not split yet: split it into train, dev and test first.")
        rows = self.frame[self.frame["split"] == split].reset_index(drop=True)
        ref = replace(self.ref, split=split) if self.ref else None
        return replace(self, frame=rows, ref=ref)

    def derive(self, frame: pd.DataFrame, **operation: Any) -> "TextDataset":
        """Return a new, unstored data set made from this one by an operation."""
        # What was done since the last stored version is kept, so that a history has no gap.
        if self.ref is None and self.operation:
            operation["after"] = dict(self.operation)
        parent = self.ref or self.parent
        return replace(self, frame=frame.reset_index(drop=True), ref=None, parent=parent, operation=operation)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cached hash out of a copy, so that it always belongs to its own frame."""
        return {key: value for key, value in self.__dict__.items() if key != "fingerprint"}
