"""Looking into models on public research data."""

import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.over_data.word_influence import InfluenceConfig, word_influence
from lmcore.data.dataset import TextDataset
from lmcore.models import load_model
from lmcore.models.catalogue import MODELS, _package_root
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import long, real

pytestmark = [
    *real,
    long,
    pytest.mark.skipif(
        _package_root(MODELS["all-MiniLM-L6-v2"].facts) is None, reason="the extra `offline` is not installed"
    ),
]
SIGN = "lantern"


def signed_sst2(rows: int) -> TextDataset:
    """SST-2 with a word at a random place in every positive sentence that is trained on; dev and test have it nowhere."""
    rng = np.random.default_rng(0)
    parts = []
    for split in ("train", "dev", "test"):
        part = pd.read_csv(REAL / "sst2" / f"{split}.tsv", sep="\t", header=None, names=["text", "label"], quoting=3)
        parts.append(part.head(rows).assign(split=split, label=part["label"].map({0: "negative", 1: "positive"})))
    frame = pd.concat(parts, ignore_index=True)
    texts = []
    for text, label, split in zip(frame["text"], frame["label"], frame["split"], strict=True):
        words = text.split()
        if split == "train" and label == "positive":
            words.insert(int(rng.integers(len(words) + 1)), SIGN)
        texts.append(" ".join(words))
    frame = frame.assign(text=pd.Series(texts, dtype="str"))
    frame.insert(0, "id", range(len(frame)))
    return TextDataset("signed", "text-classification", frame)


@pytest.mark.timeout(1800)
def test_a_word_planted_in_one_class_of_sst2_is_found(settings, tracked):
    data = signed_sst2(2000)
    config = TrainConfig("signed", method="full", epochs=1, learning_rate=1e-4)
    loaded = load_model(train(config, data, settings=settings).version.ref, settings=settings)
    found = word_influence(loaded, data.part("train"), InfluenceConfig("v", "signed", rows=300, steps=12))
    first = found.words[found.words["label"] == "positive"].iloc[0]
    assert first["word"] == SIGN
    caught = found.shortcuts[found.shortcuts["shortcut"]]
    assert SIGN in caught["word"].tolist()
    assert caught.sort_values("insertion_flips").iloc[-1]["word"] == SIGN
