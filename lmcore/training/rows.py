"""The rows of a run: what it learns from and chooses on, and which labels its model has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lmcore.data.dataset import TextDataset
from lmcore.settings import Settings
from lmcore.tasks.base import Task
from lmcore.training.config import TrainConfig
from lmcore.training.methods import TRAINING


@dataclass(frozen=True, eq=False)
class RunRows:
    """The rows of a run.

    Attributes:
        train: what is learnt from.
        dev: what is chosen on.
        labels: of the model that comes out.
        facts: how the rows were put together, as JSON-like values.
    """

    train: TextDataset
    dev: TextDataset
    labels: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def run_rows(config: TrainConfig, task: Task, data: TextDataset, settings: Settings) -> RunRows:
    """Return the train and dev rows of a run, checked; of one that goes on from a version with those of its earlier data.

    Raises:
        DataError: the data set is not split, or its rows cannot be trained on.
        InputError: there is no such version.
    """
    from lmcore.training.continual.replay import with_earlier_rows

    train, dev = data.part("train"), data.part("dev")
    if TRAINING[config.method].facts["starts_from"] == "version":
        return with_earlier_rows(config, task, data, settings)
    task.check(train.frame, f"The train split of {data.name!r}")
    labels = task.labels(train.frame)
    task.check(dev.frame, f"The dev split of {data.name!r}", labels)
    return RunRows(train, dev, labels)
