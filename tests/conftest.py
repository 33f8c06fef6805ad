"""Small data, small models and throw-away workspaces that many tests share."""

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.garbage import collect_seldom
from lmcore.models.load import LoadedModel
from lmcore.settings import MIB, Settings, Workspace
from lmcore.types import ModelRef

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data"

_WORDS = {
    "weather": ["rain", "sun", "cloud", "wind", "storm", "snow"],
    "food": ["bread", "soup", "apple", "cheese", "rice", "tea"],
    "travel": ["train", "ticket", "hotel", "plane", "map", "road"],
}
_LONG = {"browser", "faults", "training"}
_MODULES = pytest.StashKey[int]()
_FILLER = ["the", "a", "was", "very", "today", "we", "had", "some", "and", "it"]


def pytest_configure() -> None:
    """Prepare the process.

    Small models run on one thread: on two they are slower, and the tests share the machine. The coverage of processes that
    tests start is not measured: that would take a third of their time once more, and most of what they run is also run here.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    collect_seldom()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take long, so that at the end no process waits for another one's long file."""
    items.sort(key=lambda item: item.path.relative_to(ROOT).parts[1] not in _LONG)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Spare later garbage collections what was imported: training collects often, and walked through all of it each time."""
    if len(sys.modules) > item.config.stash.get(_MODULES, 0) + 200:
        gc.collect()
        gc.freeze()
        item.config.stash[_MODULES] = len(sys.modules)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def tracking_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database; its creation takes a second or more, so that tests write copies of one."""
    from lmcore.models.mlflow_store import writing_client

    made = Workspace(tmp_path_factory.mktemp("tracking"))
    writing_client(made)
    return made.tracking.read_bytes()


@pytest.fixture
def tracked(workspace: Workspace, tracking_database: bytes) -> Workspace:
    """The test's workspace, with an empty MLflow database."""
    workspace.folder(workspace.root)
    workspace.tracking.write_bytes(tracking_database)
    return workspace


@pytest.fixture
def settings(workspace: Workspace) -> Settings:
    return Settings(workspace=workspace, device="cpu", pool_bytes=512 * MIB)


@pytest.fixture(scope="session")
def topic_frame() -> pd.DataFrame:
    """120 different short texts of three classes, learnable from their words."""
    rng = np.random.default_rng(7)
    rows = []
    for number in range(120):
        label = list(_WORDS)[number % 3]
        chosen = [*rng.choice(_FILLER, 4), *rng.choice(_WORDS[label], 3, replace=False)]
        rows.append((number, " ".join(rng.permutation(chosen)) + f" {number}", label))
    return pd.DataFrame(rows, columns=["id", "text", "label"]).astype({"id": np.int64})


@pytest.fixture(scope="session")
def topics(topic_frame: pd.DataFrame) -> TextDataset:
    """The same rows as a split data set."""
    return split_dataset(TextDataset("topics", "text-classification", topic_frame), seed=1)


def build_tiny(
    tokenizer: Any, task: str, labels: Sequence[str], *, seed: int = 0, layers: int = 2, width: int = 32, heads: int = 4
) -> Any:
    """Build a small BERT with a task's head and random weights."""
    import torch

    from lmcore.models.configured import bert_config
    from lmcore.tasks import load_task

    config = bert_config(tokenizer, layers=layers, width=width, heads=heads)
    for name, value in load_task(task).model_options(labels).items():
        setattr(config, name, value)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_task(task).model_class().from_config(config).eval()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, topic_frame: pd.DataFrame) -> Path:
    """A saved BERT classifier of 2 layers and 32 features with enlarged random weights."""
    import torch

    from lmcore.models.configured import train_tokenizer

    tokenizer = train_tokenizer(topic_frame["text"].tolist(), vocabulary=300, max_length=64)
    model = build_tiny(tokenizer, "text-classification", sorted(_WORDS), seed=3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                parameter.mul_(4)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_ref(tiny_folder: Path) -> ModelRef:
    return ModelRef("folder", str(tiny_folder))


@pytest.fixture
def tiny_loaded(tiny_folder: Path, settings: Settings) -> LoadedModel:
    """The same model in memory, with its classification head."""
    from lmcore.models import load_model

    return load_model(f"folder:{tiny_folder}", task="text-classification", settings=settings)
