"""Tagging public research data; training runs where LMSCOPE_REAL is 1."""

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.load import load_dataset
from lmcore.tasks import load_task
from lmcore.tasks.tagging import UNIGRAM
from lmcore.training.baseline import score_baselines
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import long, real

pytestmark = real

SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def wnut17():
    task = "named-entity-recognition"
    parts = [load_dataset(REAL / "wnut17" / f"{s}.conll", task=task).frame.assign(split=s) for s in SPLITS]
    frame = pd.concat(parts, ignore_index=True)
    return TextDataset("wnut17", task, frame.assign(id=range(len(frame))))


@pytest.fixture(scope="module")
def atis():
    parts = []
    for folder, split in zip(("train", "valid", "test"), SPLITS, strict=True):
        names = ("seq.in", "seq.out", "label")
        lines = [(REAL / "atis" / folder / name).read_text(encoding="utf-8").splitlines() for name in names]
        parts.append(pd.DataFrame(dict(zip(names, lines, strict=True))).assign(split=split))
    return load_dataset(pd.concat(parts, ignore_index=True), task="slot-filling", name="atis")


def baselines(data):
    task = load_task(data.task)
    parts = [data.part(split) for split in SPLITS]
    labels = task.labels(parts[0].frame)
    for part in parts[1:]:
        task.check(part.frame, "It", labels)
    return score_baselines(task, *parts, labels, seed=0).set_index("name")


def test_wnut17_is_read_whole_and_its_words_are_hardly_seen_before(wnut17):
    assert wnut17.frame["split"].value_counts().to_dict() == {"train": 3394, "dev": 1009, "test": 1287}
    kinds = {kind for kinds in load_task(wnut17.task).label_lists(wnut17.frame) for kind in kinds}
    assert kinds == {"corporation", "creative-work", "group", "location", "person", "product"}
    assert baselines(wnut17).loc[UNIGRAM, "f1"] < 0.2


def test_atis_is_read_whole_and_its_rare_slots_are_no_obstacle(atis):
    assert atis.frame["split"].value_counts().to_dict() == {"train": 4478, "dev": 500, "test": 893}
    scores = baselines(atis)
    assert 0.4 < scores.iloc[0]["slot_f1"] < 0.8
    assert scores.iloc[0]["intent_accuracy"] > scores.iloc[1]["intent_accuracy"] > 0.6


@long
@pytest.mark.timeout(3600)
def test_wnut17_full(wnut17, settings, tracked, figures):
    config = TrainConfig("wnut17", task=wnut17.task, method="full", learning_rate=2e-4, epochs=4)
    result = train(config, wnut17, settings=settings)
    figures("WNUT-17", result.evaluation, what="MiniLM, full", settings="2e-4, 4 epochs", rows=(3394, 1287),
            seconds=result.seconds)  # fmt: skip
    assert result.metrics["f1"] > result.evaluation.rival.value + 0.1


@long
@pytest.mark.timeout(7200)
def test_atis_full_with_the_rate_chosen_on_dev(atis, settings, tracked, figures):
    runs = [
        train(TrainConfig("atis", task=atis.task, method="full", learning_rate=rate, epochs=6), atis, settings=settings)
        for rate in (5e-5, 2e-4)
    ]
    best = max(runs, key=lambda run: run.metrics["dev_frame_accuracy"])
    rate = best.version.facts["config"]["learning_rate"]
    figures("ATIS", best.evaluation, what="MiniLM, full", settings=f"{rate:g} (chosen on dev), 6 epochs", rows=(4478, 893),
            seconds=best.seconds)  # fmt: skip
    assert best.metrics["slot_f1"] >= 0.90
    assert best.metrics["intent_accuracy"] >= 0.94
