"""Training jobs on the small model, reports that listen or stop, and one trained version that tests may read."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled
from lmcore.settings import Settings, Workspace
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.fit import TrainResult, train
from lmcore.training.trained import TrainJob
from lmcore.types import Silent

FULL = {"method": "full", "epochs": 3, "batch_size": 16, "learning_rate": 5e-3, "save_steps": 4}


class Recorder(Silent):
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.values: list[tuple[int, str, float]] = []
        self.fractions: list[float] = []

    def progress(self, fraction: float, message: str = "") -> None:
        self.fractions.append(fraction)

    def metrics(self, step: int, values: Any) -> None:
        self.values += [(step, name, value) for name, value in values.items()]

    def of(self, name: str) -> dict[int, float]:
        return {step: value for step, known, value in self.values if known == name}


class Stopper(Recorder):
    """Asks to stop the n-th time that it is asked."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def check(self) -> None:
        self.at -= 1
        if self.at == 0:
            raise Cancelled("stop")


def build_job(
    data: TextDataset,
    settings: Settings,
    scratch: Path,
    *,
    report: Any = None,
    resume: bool = False,
    **options: Any,
) -> TrainJob:
    config = TrainConfig(**{"name": "topics"} | options).checked()
    task = load_task(config.task)
    scratch.mkdir(parents=True, exist_ok=True)
    train, dev = data.part("train"), data.part("dev")
    return TrainJob(config, task, train, dev, task.labels(train.frame), settings, scratch, resume, report or Recorder())


@pytest.fixture
def make_job(topics: TextDataset, tiny_ref: Any, settings: Settings, tmp_path: Path) -> Callable[..., TrainJob]:
    """Return a builder of training jobs, each with a scratch folder of its own unless one is named."""
    numbers = count()

    def make(*, scratch: Path | None = None, data: TextDataset = topics, **options: Any) -> TrainJob:
        folder = scratch or tmp_path / f"scratch-{next(numbers)}"
        return build_job(data, settings, folder, **{"model": str(tiny_ref)} | options)

    return make


@pytest.fixture(scope="module")
def shared_settings(tmp_path_factory: pytest.TempPathFactory, tracking_database: bytes) -> Settings:
    """Settings of a workspace that the tests of one module share."""
    workspace = Workspace(tmp_path_factory.mktemp("shared"))
    workspace.tracking.write_bytes(tracking_database)
    return Settings(workspace=workspace, device="cpu")


@pytest.fixture(scope="module")
def trained(topics: TextDataset, tiny_folder: Path, shared_settings: Settings) -> TrainResult:
    """A head on the small model, registered as topics/1 in the shared workspace."""
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", strength=1.0)
    return train(config, topics, settings=shared_settings)


@pytest.fixture
def uneven(topics: TextDataset, tracked: Workspace, monkeypatch: pytest.MonkeyPatch) -> TextDataset:
    """A stored data set whose last batch two workers cannot share evenly."""
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    train_rows = topics.frame.index[topics.frame["split"] == "train"]
    return DatasetStore(tracked).save(replace(topics, frame=topics.frame.drop(train_rows[0])))


@pytest.fixture
def calm(tmp_path: Path, tiny_folder: Path) -> str:
    """The small model without dropout, so that a step does not depend on how its rows are cut into batches."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    config = AutoConfig.from_pretrained(tiny_folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_folder, config=config)
    folder = tmp_path / "calm"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(folder)
    return f"folder:{folder}"


@pytest.fixture
def relabelled(topics: TextDataset) -> Callable[..., TextDataset]:
    """Return a function that changes some rows of the data set."""

    def change(rows: Any, **columns: Any) -> TextDataset:
        frame = topics.frame.copy()
        for name, value in columns.items():
            frame.loc[rows(frame), name] = value
        return replace(topics, frame=frame)

    return change
