"""Question answering on XQuAD, split by article, with questions without an answer made by pairing."""

import pytest

from lmcore.data import load_dataset, pair_unanswerable, split_dataset
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from tests.conftest import REAL
from tests.real.conftest import long, real

FOLDER = REAL / "xquad"
pytestmark = real


def prepared(language):
    data = load_dataset(FOLDER / f"{language}.json", task="question-answering", name=f"xquad-{language}")
    return split_dataset(pair_unanswerable(data, share=0.25, seed=0), ratios=(7, 1.5, 1.5), seed=0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_answer_stands_in_its_place_and_no_article_in_two_splits(language):
    data = prepared(language)
    assert (data.frame["answers"] != "[]").sum() == 1190
    assert (data.frame["answers"] == "[]").mean() == pytest.approx(0.25, abs=0.01)
    assert data.frame.groupby("article")["split"].nunique().max() == 1
    load_task(data.task).check(data.frame, data.name)


@long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("language", "model"), [("en", "packaged:all-MiniLM-L6-v2"), ("zh", "config:bert-small")])
def test_xquad_beside_the_baselines(language, model, settings, tracked, figures):
    data = prepared(language)
    rates = {"epochs": 3, "learning_rate": 2e-4} if language == "en" else {"epochs": 4, "learning_rate": 5e-4}
    method = "scratch" if model.startswith("config:") else "full"
    config = TrainConfig(data.name, data.task, model, method, batch_size=16, max_length=256, **rates)
    result = train(config, data, settings=settings)
    rows = tuple(int((data.frame["split"] == split).sum()) for split in ("train", "test"))
    what = f"{'MiniLM' if language == 'en' else 'bert-small'}, {method}"
    said = f"{rates['learning_rate']:g}, {rates['epochs']} epochs; a quarter without an answer, by pairing"
    figures(f"XQuAD-{language}", result.evaluation, what=what, settings=said, rows=rows, seconds=result.seconds)
    assert result.version.facts["truncated_share"] == 0
    assert result.metrics["f1"] >= (data.part("test").frame["answers"] == "[]").mean()
