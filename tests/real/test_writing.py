"""Writing texts from texts on public research data; the long run is there where LMSCOPE_REAL is 1."""

import gzip
import json
import os

import pandas as pd
import pytest
from sacrebleu.metrics import BLEU

from lmcore.data.dataset import TextDataset
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL

pytestmark = [pytest.mark.real, pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")]
long = pytest.mark.skipif(os.environ.get("LMSCOPE_REAL") != "1", reason="takes many minutes; set LMSCOPE_REAL=1")


def multi30k(part: str) -> pd.DataFrame:
    columns = {}
    for name, language in (("source", "en"), ("target", "de")):
        with gzip.open(REAL / "multi30k" / f"{part}.{language}.gz", "rt", encoding="utf-8") as file:
            columns[name] = file.read().strip().split("\n")
    return pd.DataFrame(columns)


def numbered(*parts: pd.DataFrame) -> pd.DataFrame:
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "id", range(len(frame)))
    return frame


def test_translation_baselines_on_multi30k():
    task, test = load_task("translation"), numbered(multi30k("test"))
    train_rows = numbered(multi30k("train").head(10_000))
    found = task.baselines(train_rows, train_rows, test, (), seed=0)
    measured = {name: task.measure(test, predictions, ()) for name, predictions in found.items()}
    wanted = BLEU(force=True).corpus_score(test["source"].tolist(), [test["target"].tolist()]).score
    assert measured["copy of the source"]["bleu"] == pytest.approx(wanted)
    assert measured["word-by-word dictionary"]["chrf"] > measured["copy of the source"]["chrf"] + 10


def test_lead_three_on_dialogsum():
    lines = (REAL / "dialogsum" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    test = numbered(pd.DataFrame({"document": [r["dialogue"] for r in rows], "summary": [r["summary1"] for r in rows]}))
    task = load_task("summarisation")
    figures = task.measure(test, task.baselines(test, test, test, (), seed=0)["lead-3"], ())
    assert 0.2 < figures["rouge_l"] <= figures["rouge1"] < 0.4


@long
@pytest.mark.timeout(7200)
def test_multi30k_from_a_configuration(settings, tracked):
    parts = (
        multi30k(file).assign(split=split) for file, split in (("train", "train"), ("val", "dev"), ("test", "test"))
    )
    config = TrainConfig("multi30k", task="translation", model="config:marian-small", method="scratch", epochs=5,
                         learning_rate=1e-3, batch_size=32, max_length=128)  # fmt: skip
    result = train(config, TextDataset("multi30k", "translation", numbered(*parts)), settings=settings)
    assert result.metrics["bleu"] >= 20
    assert result.version.facts["truncated_share"] < 0.001
