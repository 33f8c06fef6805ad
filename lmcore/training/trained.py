"""What a training method gets and gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.data.dataset import TextDataset
from lmcore.settings import Settings
from lmcore.tasks.base import Task
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.workers import ALONE, Workers
from lmcore.types import Report

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings


@dataclass(frozen=True, eq=False)
class TrainJob:
    """Everything a training method needs.

    Attributes:
        config: the checked configuration.
        task: the task.
        train: rows to learn from.
        dev: rows to choose on.
        labels: class names of the training rows.
        settings: workspace and device.
        scratch: a folder of this run for checkpoints; it outlives a crash and goes when the run ends well.
        resume: whether ``scratch`` may hold an earlier attempt's work to go on from.
        report: progress, metrics and cancellation.
        facts: how its rows were put together, as JSON-like values that are kept with the version.
        workers: the processes that do it together, this one among them.
    """

    config: TrainConfig
    task: Task
    train: TextDataset
    dev: TextDataset
    labels: tuple[str, ...]
    settings: Settings
    scratch: Path
    resume: bool
    report: Report
    facts: Mapping[str, Any] = field(default_factory=dict)
    workers: Workers = ALONE


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training method made: a model that is ready to be saved.

    Attributes:
        model: a transformers model in evaluation mode.
        tokenizer: its tokenizer.
        choices: what was chosen on dev (``layer``, ``strength``, ``epoch`` …).
        dev_metrics: the main figures on dev of what was chosen.
        encodings: the training rows as the model saw them; for the shares of unknown tokens and of cut texts.
        learnt: how many numbers were learnt.
        beside: from the test split to further tables that the method can give of it; None where there are none.
    """

    model: Any
    tokenizer: Any
    choices: Mapping[str, Any]
    dev_metrics: Mapping[str, float]
    encodings: "Encodings"
    learnt: int
    beside: "Callable[[TextDataset, Report], Mapping[str, pd.DataFrame]] | None" = None
