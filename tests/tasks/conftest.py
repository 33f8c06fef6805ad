"""A toy language of orders whose names and slots follow from the words, and training on it with a tiny model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.models.configured import train_tokenizer
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.fit import TrainResult, train
from tests.conftest import build_tiny

TINY = {"method": "full", "epochs": 18, "batch_size": 8, "learning_rate": 5e-3}


@pytest.fixture(scope="session")
def orders() -> pd.DataFrame:
    """160 rows: after "from" and "to" comes a place of one or two words, and the first word is the intent's."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(160):
        verb = ["go", "send", "call"][number % 3]
        words, tags = [verb, str(number)], ["O", "O"]
        for sign, kind in [("from", "start"), ("to", "goal")][rng.integers(0, 2) :]:
            place = [["oslo"], ["new", "york"], ["paris"], ["san", "jose"]][rng.integers(0, 4)]
            words += [sign, *place]
            tags += ["O", f"B-{kind}", *[f"I-{kind}"] * (len(place) - 1)]
        rows.append((" ".join(words), " ".join(tags), verb))
    return pd.DataFrame(rows, columns=["text", "tags", "label"])


@pytest.fixture(scope="session")
def orders_folder(orders: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved BERT of 2 layers and 32 features with random weights that knows the words of the orders."""
    tokenizer = train_tokenizer(orders["text"].tolist(), vocabulary=300, max_length=64)
    folder = tmp_path_factory.mktemp("models") / "orders"
    build_tiny(tokenizer, "text-classification", ["a", "b"]).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def train_tiny(
    orders: pd.DataFrame, orders_folder: Path, tmp_path_factory: pytest.TempPathFactory, tracking_database: bytes
) -> Callable[[str], tuple[TrainResult, Settings]]:
    """Return a function that trains a BERT of 2 layers and 32 features for a task on the orders."""

    def fit(task: str, **options: Any) -> tuple[TrainResult, Settings]:
        workspace = Workspace(Path(tmp_path_factory.mktemp("orders")))
        workspace.tracking.write_bytes(tracking_database)
        settings = Settings(workspace=workspace, device="cpu")
        table = orders if task == "slot-filling" else orders.drop(columns="label")
        data = split_dataset(load_dataset(table, task=task, name="orders"), seed=1)
        config = TrainConfig("orders", task=task, **{"model": f"folder:{orders_folder}", **TINY, **options})
        return train(config, data, settings=settings), settings

    return fit
