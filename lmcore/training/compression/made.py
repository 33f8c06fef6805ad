"""What a compression method gets and gives back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.errors import DataError
from lmcore.tasks.base import Task
from lmcore.training.compression.config import CompressConfig
from lmcore.types import Report

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.load import LoadedModel

BATCH_SIZE = 16


@dataclass(frozen=True, eq=False)
class CompressJob:
    """Everything a compression method needs.

    Attributes:
        config: the checked configuration.
        task: the task, as models of this architecture do it.
        loaded: the version on the CPU, for this job alone: its modules may be changed.
        dev: rows to judge on.
        report: progress and cancellation.
    """

    config: CompressConfig
    task: Task
    loaded: "LoadedModel"
    dev: "pd.DataFrame"
    report: Report

    def batches(self) -> Iterator[dict[str, Any]]:
        """Yield the first dev rows as training batches, whose loss the model returns.

        Raises:
            DataError: there are none.
            Cancelled: the report asked to stop.
        """
        rows = self.dev.head(self.config.rows)
        loaded = self.loaded
        encodings = self.task.encode(loaded.tokenizer, rows, loaded.max_length, loaded.labels)
        if not len(encodings):
            raise DataError("The dev split has no row to judge on: split the data set again with a larger dev split.")
        for start in range(0, len(encodings), BATCH_SIZE):
            self.report.check()
            numbers = range(start, min(start + BATCH_SIZE, len(encodings)))
            yield self.task.collate(loaded.tokenizer, encodings, numbers)
            self.report.progress(
                numbers[-1] / len(encodings), f"{numbers[-1] + 1} of {len(encodings)} dev windows read"
            )


@dataclass(frozen=True, eq=False)
class Compressed:
    """What a compression method made: the job's model, changed in place, and what is to be saved beside it.

    Attributes:
        summary: one sentence that says what was done.
        facts: what was taken out and how it was judged, as JSON-like values.
        exports: further files, name to a function that writes it.
        retuned: whether the model is another one now, so that what was chosen on dev has to be chosen again.
    """

    summary: str
    facts: Mapping[str, Any]
    exports: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)
    retuned: bool = True


def fewest(importance: list[float], share: float) -> list[int]:
    """Return which to take out, counted from 0 and in order: the least important share, but never all.

    Of equally important ones the last goes first.
    """
    count = min(int(share * len(importance) + 0.5), len(importance) - 1)
    order = sorted(range(len(importance)), key=lambda i: (importance[i], -i))
    return sorted(order[:count])
