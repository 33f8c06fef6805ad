"""Training on public research data; the long ones run where LMSCOPE_REAL is 1."""

import os
import time
from dataclasses import replace

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.models.catalogue import MODELS, _package_root
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent"),
    pytest.mark.skipif(
        _package_root(MODELS["all-MiniLM-L6-v2"].facts) is None, reason="the extra `offline` is not installed"
    ),
]
long = pytest.mark.skipif(os.environ.get("LMSCOPE_REAL") != "1", reason="takes many minutes; set LMSCOPE_REAL=1")


@pytest.fixture(autouse=True)
def all_threads():
    """Let torch use every core, as it does outside the tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sst2():
    parts = []
    for split in ("train", "dev", "test"):
        part = pd.read_csv(REAL / "sst2" / f"{split}.tsv", sep="\t", header=None, names=["text", "label"], quoting=3)
        parts.append(part.assign(split=split, label=part["label"].map({0: "negative", 1: "positive"})))
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "id", range(len(frame)))
    return TextDataset("sst2", "text-classification", frame)


@pytest.fixture(scope="module")
def waimai():
    frame = pd.read_csv(REAL / "waimai" / "waimai_10k.csv").rename(columns={"review": "text"}).astype(str)
    frame.insert(0, "id", range(len(frame)))
    return split_dataset(TextDataset("waimai", "text-classification", frame[frame["text"].str.strip() != ""]))


@pytest.mark.timeout(900)
def test_sst2_head(sst2, settings, tracked):
    started = time.process_time()
    result = train(TrainConfig("sst2"), sst2, settings=settings)
    assert time.process_time() - started < 240, "two minutes on two cores, whatever else the machine does"
    assert result.metrics["accuracy"] >= 0.82
    assert result.choices["layer"] in range(2, 6), "the middle layers do best, and the choice is made on dev"
    assert result.version.facts["unknown_share"] < 0.01


@long
@pytest.mark.timeout(3600)
def test_sst2_full(sst2, settings, tracked):
    result = train(TrainConfig("sst2", method="full", epochs=2), sst2, settings=settings)
    assert result.metrics["dev_accuracy"] >= 0.87


@long
@pytest.mark.timeout(3600)
def test_waimai_beside_the_baseline(waimai, settings, tracked):
    head = train(TrainConfig("waimai"), waimai, settings=settings)
    assert head.version.facts["unknown_share"] == pytest.approx(0.67, abs=0.05)
    assert head.warnings[0].startswith("The model does not know ")
    config = TrainConfig("waimai", model="config:bert-small", method="scratch", learning_rate=5e-4, epochs=3)
    full = train(config, replace(waimai), settings=settings)
    assert full.version.facts["unknown_share"] < 0.01
    assert full.metrics["accuracy"] > head.metrics["accuracy"]
    baselines = full.evaluation.tables["baselines"].set_index("name")
    assert baselines.loc["TF-IDF + logistic regression", "accuracy"] > baselines.loc["majority class", "accuracy"]
