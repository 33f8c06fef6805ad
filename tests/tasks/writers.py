"""Toy pairs of texts and tiny models that write, for the tests of tasks that write a text from a text."""

from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.models.configured_decoder import llama_config, train_bpe
from lmcore.models.configured_marian import marian_config, train_shared_tokenizer
from lmcore.tasks import load_task

NUMBERS = dict(
    zip(["one", "two", "three", "four", "five", "six"], ["eins", "zwei", "drei", "vier", "fünf", "sechs"], strict=True)
)


def number_pairs(rows: int = 200, *, seed: int = 0, names: tuple[str, str] = ("source", "target")) -> pd.DataFrame:
    """English numbers and the same in German, different in every row."""
    rng = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    while len(texts) < rows:
        texts[" ".join(rng.choice(list(NUMBERS), rng.integers(1, 4)))] = None
    sources = list(texts)
    targets = [" ".join(NUMBERS[word] for word in text.split()) for text in sources]
    return pd.DataFrame({"id": np.arange(rows), names[0]: sources, names[1]: targets})


def number_data(task: str = "translation", *, rows: int = 200) -> TextDataset:
    """The same as a data set that is split already: 8 to 1 to 1."""
    frame = number_pairs(rows, names=tuple(column.name for column in load_task(task).columns))
    split = np.array(["train"] * 8 + ["dev", "test"])[np.arange(rows) % 10]
    return TextDataset("numbers", task, frame.assign(split=split))


def tiny_marian(tokenizer: Any, shape: Any) -> Any:
    config = marian_config(tokenizer, layers=1, width=32, heads=2)
    config.init_std = 0.1
    return config


def tiny_llama(tokenizer: Any, shape: Any) -> Any:
    config = llama_config(tokenizer, layers=2, width=32, heads=2)
    config.initializer_range = 0.1
    return config


def small_shared_tokenizer(texts: Any) -> Any:
    return train_shared_tokenizer(texts, vocabulary=340, max_length=64)


def small_bpe(texts: Any) -> Any:
    return train_bpe(texts, vocabulary=340, max_length=96)
