"""Pairs of texts: what is learnt stands in the second text alone."""

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.models import load_model, predict_texts
from lmcore.models.predict import predict_rows
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train

FIRST = "what is this about"


@pytest.fixture
def pairs(topics):
    frame = topics.frame.assign(text=FIRST, text_pair=topics.frame["text"])
    return TextDataset("pairs", "text-classification", frame.astype({"text": "str"}))


@pytest.mark.parametrize("method", ["head", "full"])
def test_the_second_text_is_learnt_from_and_comes_back_with_the_version(method, pairs, tiny_ref, settings, tracked):
    options = {"strength": 1.0} if method == "head" else {"epochs": 12, "learning_rate": 5e-3, "batch_size": 16}
    result = train(TrainConfig("pairs", model=str(tiny_ref), method=method, **options), pairs, settings=settings)
    baselines = result.evaluation.tables["baselines"].set_index("name")["accuracy"]
    assert result.metrics["accuracy"] >= 0.8 > baselines["majority class"]
    loaded = load_model(result.version.ref, settings=settings)
    rows = pairs.part("test").frame
    again = predict_rows(loaded, rows)
    assert [p.label for p in again] == result.evaluation.predictions["label"].tolist()
    told, swapped = (
        predict_texts(loaded, [{"text": FIRST, "text_pair": second}])[0] for second in rows["text_pair"][:2]
    )
    assert [told.label, swapped.label] == [p.label for p in again[:2]]
