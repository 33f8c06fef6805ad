"""Relations on SemEval-2010 task 8; the long run where LMSCOPE_REAL is 1."""

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import long, real

FOLDER = REAL / "semeval10t8"
pytestmark = real


@pytest.fixture(scope="module")
def semeval():
    """The official test set; every tenth training sentence is dev, but the one that alone has its class."""
    parts = []
    for split in ("train", "test"):
        lines = (FOLDER / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        rows = pd.DataFrame([line.split("\t", 1) for line in lines], columns=["label", "text"])
        parts.append(rows.assign(split=split))
    frame = pd.concat(parts, ignore_index=True)[["text", "label", "split"]]
    rare = frame["label"].map(frame["label"].value_counts()) < 10
    frame.loc[(frame["split"] == "train") & (frame.index % 10 == 9) & ~rare, "split"] = "dev"
    frame.insert(0, "id", range(len(frame)))
    return TextDataset("semeval", "relation-extraction", frame)


def test_every_sentence_has_its_marks(semeval):
    task = load_task("relation-extraction")
    labels = task.labels(semeval.part("train").frame)
    assert len(labels) == 19
    for split in ("dev", "test"):
        task.check(semeval.part(split).frame, split, labels)


@long
@pytest.mark.timeout(7200)
def test_semeval_full_beside_the_baselines(semeval, settings, tracked, figures):
    config = TrainConfig(
        "semeval", semeval.task, method="full", epochs=3, learning_rate=1e-4, batch_size=32, max_length=128
    )
    result = train(config, semeval, settings=settings)
    baselines = result.evaluation.tables["baselines"].set_index("name")
    figures("SemEval-2010 task 8", result.evaluation, what="MiniLM, full", settings="1e-4, 3 epochs",
            rows=(len(semeval.part("train")), 2717), seconds=result.seconds)  # fmt: skip
    assert result.metrics["f1_macro"] > 0.7
    assert result.metrics["f1_macro"] > baselines["f1_macro"].max() + 0.1
