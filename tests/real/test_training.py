"""Training on public research data; the long ones run where LMSCOPE_REAL is 1."""

import time

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.models.catalogue import MODELS, _package_root
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import LONG, long, real

pytestmark = [
    *real,
    pytest.mark.skipif(
        _package_root(MODELS["all-MiniLM-L6-v2"].facts) is None, reason="the extra `offline` is not installed"
    ),
]


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


@long
@pytest.mark.timeout(900)
def test_sst2_head(sst2, settings, tracked, figures):
    started = time.process_time()
    result = train(TrainConfig("sst2"), sst2, settings=settings)
    assert time.process_time() - started < 240, "two minutes on two cores, whatever else the machine does"
    assert result.metrics["accuracy"] >= 0.82
    assert result.choices["layer"] in range(2, 6), "the middle layers do best, and the choice is made on dev"
    assert result.version.facts["unknown_share"] < 0.01
    if LONG:
        figures("SST-2", result.evaluation, what="MiniLM, head", rows=(6920, 1821), seconds=result.seconds)


@long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_sst2_by_gradient(method, sst2, settings, tracked, figures):
    rate = {} if method == "full" else {"learning_rate": 5e-4}
    result = train(TrainConfig("sst2", method=method, epochs=2, **rate), sst2, settings=settings)
    said = f"2 epochs, dev accuracy {result.metrics['dev_accuracy']:.3f}"
    figures(
        "SST-2", result.evaluation, what=f"MiniLM, {method}", settings=said, rows=(6920, 1821), seconds=result.seconds
    )
    assert result.metrics["dev_accuracy"] >= {"full": 0.87, "lora": 0.85}[method]


@long
@pytest.mark.timeout(3600)
def test_waimai_beside_the_baseline(waimai, settings, tracked, figures):
    head = train(TrainConfig("waimai"), waimai, settings=settings)
    assert head.version.facts["unknown_share"] == pytest.approx(0.67, abs=0.05)
    assert head.warnings[0].startswith("The model does not know ")
    config = TrainConfig("waimai", model="config:bert-small", method="scratch", learning_rate=5e-4, epochs=3)
    full = train(config, waimai, settings=settings)
    rows = tuple(int((waimai.frame["split"] == split).sum()) for split in ("train", "test"))
    for result, what in ((head, "MiniLM, head"), (full, "bert-small, scratch, 3 epochs")):
        said = f"{result.version.facts['unknown_share']:.0%} of the tokens unknown"
        figures("waimai (Chinese)", result.evaluation, what=what, settings=said, rows=rows, seconds=result.seconds)
    assert full.version.facts["unknown_share"] < 0.01
    assert full.metrics["accuracy"] > head.metrics["accuracy"]
    baselines = full.evaluation.tables["baselines"].set_index("name")
    assert baselines.loc["TF-IDF + logistic regression", "accuracy"] > baselines.loc["majority class", "accuracy"]
