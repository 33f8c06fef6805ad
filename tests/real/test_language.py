"""Language models and word alignment on public research data; the long runs are there where LMSCOPE_REAL is 1."""

import os

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.models import load_model
from lmcore.models.catalogue import MODELS, _package_root
from lmcore.tasks import load_task
from lmcore.tasks.links import read_links
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import evaluate
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.tasks.speakers import decoder_tokenizer

pytestmark = [pytest.mark.real, pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")]
long = pytest.mark.skipif(os.environ.get("LMSCOPE_REAL") != "1", reason="takes many minutes; set LMSCOPE_REAL=1")


def wikitext(task: str) -> TextDataset:
    """The paragraphs of WikiText-2's valid part to train on, with a tenth of them as dev, and those of its test part."""
    valid, test = (
        load_dataset(REAL / "wikitext2" / f"{part}.txt", task=task).frame[["text"]].drop_duplicates()
        for part in ("valid", "test")
    )
    valid = valid.assign(split=["dev" if row % 10 == 9 else "train" for row in range(len(valid))])
    frame = pd.concat([valid, test[~test["text"].isin(valid["text"])].assign(split="test")], ignore_index=True)
    frame.insert(0, "id", range(len(frame)))
    return TextDataset("wikitext", task, frame)


def test_the_paragraphs_of_wikitext_are_texts():
    data = wikitext("text-generation")
    texts = data.part("test").frame["text"]
    assert len(texts) > 800
    assert texts.str.contains("^= [^=]+ =$").sum() > 50
    assert texts.str.len().max() > 1000


def test_a_bigram_beats_a_unigram_on_wikitext():
    data, task, tokenizer = wikitext("text-generation"), load_task("text-generation"), decoder_tokenizer()
    rows = data.part("train").frame.head(300), data.part("test").frame.head(100)
    rivals = task.token_baselines(tokenizer, 64, rows[0], rows[0], rows[1])
    found = {name: task.measure(rows[1], predictions, ())["perplexity"] for name, predictions in rivals.items()}
    assert 1 < found["bigram"] < 0.5 * found["unigram"]


@long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("task", "model"), [("text-generation", "llama-small"), ("completion", "bert-small"), ("completion", "llama-small")]
)
def test_perplexity_on_wikitext_falls_below_the_unigram_model(task, model, settings, tracked):
    config = TrainConfig(
        "wikitext", task=task, model=f"config:{model}", method="full", epochs=4, learning_rate=1e-3, max_length=128
    )
    result = train(config, wikitext(task), settings=settings)
    rivals = result.evaluation.tables["baselines"].set_index("name")["perplexity"]
    assert result.metrics["perplexity"] < rivals["unigram"]


def enfr() -> TextDataset:
    """The English-French pairs; the files count words from 1."""
    lines = (REAL / "align" / "enfr.src-tgt").read_text(encoding="utf-8").splitlines()
    golds = (REAL / "align" / "enfr.gold").read_text(encoding="utf-8").splitlines()
    rows = []
    for line, gold in zip(lines, golds, strict=True):
        source, target = (" ".join(side.split()) for side in line.split("|||"))
        links = read_links(gold, first=1)
        signs = [f"{i}{'-' if (i, j) in links.sure else 'p'}{j}" for i, j in sorted(links.possible)]
        rows.append((source, target, " ".join(signs)))
    frame = pd.DataFrame(rows, columns=["source", "target", "links"], dtype="str")
    frame.insert(0, "id", range(len(frame)))
    return split_dataset(TextDataset("enfr", "text-alignment", frame), ratios=(1, 49, 50), seed=0)


def test_the_diagonal_on_english_and_french():
    task, test = load_task("text-alignment"), enfr().frame
    found = task.measure(test, task.baselines(test, test, test, (), seed=0)["diagonal"], ())
    assert found["aer"] == pytest.approx(0.55, abs=0.03)


@pytest.mark.skipif(
    _package_root(MODELS["all-MiniLM-L6-v2"].facts) is None, reason="the extra `offline` is not installed"
)
@pytest.mark.timeout(600)
def test_minilm_aligns_english_and_french_by_the_layer_that_dev_chooses(settings):
    loaded = load_model("packaged:all-MiniLM-L6-v2", task="text-alignment", settings=settings)
    found = evaluate(loaded, enfr(), settings=settings)
    assert found.parameters["layer"] == 3
    assert found.metrics["aer"] == pytest.approx(0.37, abs=0.02)
    assert not found.rival.beats
