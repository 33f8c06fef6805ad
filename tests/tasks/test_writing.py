"""A text from a text, trained, saved, loaded and served, by an encoder-decoder and by a decoder."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.errors import DataError, InputError, OptionError
from lmcore.methods import Registry
from lmcore.models import catalogue, start
from lmcore.models.decoding import Decoding
from lmcore.models.load import load_model
from lmcore.models.predict import predict_texts
from lmcore.serving.predictor import Predictor
from lmcore.serving.service import PredictionService
from lmcore.settings import Settings, Workspace
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.estimate import estimate_training
from lmcore.training.evaluation import evaluate, load_evaluation
from lmcore.training.fit import train
from lmcore.types import Prediction
from tests.tasks import writers

WRITING = ("translation", "summarisation", "style-transfer")
SETTINGS = {"task": "translation", "method": "scratch", "batch_size": 8, "learning_rate": 1e-2, "max_length": 64}


@pytest.fixture(scope="module")
def tiny_models():
    """Let the configurations stand for models that learn in seconds."""
    kept = catalogue.MODELS
    places = {
        "marian-small": ("tests.tasks.writers:tiny_marian", "tests.tasks.writers:small_shared_tokenizer"),
        "llama-small": ("tests.tasks.writers:tiny_llama", "tests.tasks.writers:small_bpe"),
    }
    tiny = [
        replace(kept[name], target=target, facts={**kept[name].facts, "tokenizer": tokenizer})
        for name, (target, tokenizer) in places.items()
    ]
    catalogue.MODELS = start.MODELS = Registry(kept.kind, *(m for m in kept.values() if m.name not in places), *tiny)
    yield
    catalogue.MODELS = start.MODELS = kept


@pytest.fixture(scope="module")
def place(tmp_path_factory, tracking_database):
    workspace = Workspace(tmp_path_factory.mktemp("writing"))
    workspace.tracking.write_bytes(tracking_database)
    return Settings(workspace=workspace, device="cpu")


@pytest.fixture(scope="module")
def data():
    return writers.number_data()


@pytest.fixture(scope="module", params=["marian-small", "llama-small"])
def trained(request, tiny_models, place, data):
    """A tiny model of each architecture that learnt to translate numbers."""
    config = TrainConfig(request.param, model=f"config:{request.param}", epochs=10, **SETTINGS)
    return train(config, data, settings=place)


@pytest.fixture(scope="module")
def loaded(trained, place):
    return load_model(trained.version.ref, settings=place)


def test_it_learns_to_translate_and_stands_beside_its_baselines(trained):
    baselines = trained.evaluation.tables["baselines"].set_index("name")
    assert trained.metrics["chrf"] > 80 > 50 > baselines.loc["copy of the source", "chrf"]
    assert baselines.loc["word-by-word dictionary", "chrf"] == pytest.approx(100)
    assert trained.choices["epoch"] > 3
    assert set(trained.evaluation.metrics) == {"bleu", "chrf"}
    low, high = trained.evaluation.intervals["chrf"]
    assert low <= trained.metrics["chrf"] <= high


def test_a_loaded_version_has_no_labels_and_writes_the_same(trained, loaded, place, data):
    assert (loaded.task, loaded.labels, loaded.max_length) == ("translation", (), 64)
    assert loaded.layers == {"marian-small": 1, "llama-small": 2}[trained.version.name]
    again = evaluate(loaded, data, settings=place)
    table = trained.evaluation.predictions
    assert again.predictions["label"].tolist() == table["label"].tolist()
    assert again.predictions["score"].tolist() == pytest.approx(table["score"].tolist(), abs=1e-5)
    assert table["score"].between(0, 1).all()
    assert table["correct"].tolist() == (table["gold"] == table["label"]).tolist()
    assert load_evaluation(place.workspace, again.id).parameters["decoding"]["beams"] == 1


def test_texts_in_any_batch_are_written_alike(loaded):
    texts = ["one two three", "six", "four four"]
    whole = predict_texts(loaded, texts)
    alone = [predict_texts(loaded, [text])[0] for text in texts]
    assert [p.text for p in whole] == [p.text for p in alone]
    assert [p.score for p in whole] == pytest.approx([p.score for p in alone], abs=1e-5)
    assert [p.label for p in whole] == [""] * 3


def test_it_is_served_with_its_text(loaded):
    service = PredictionService(Predictor(loaded))
    answers = asyncio.run(service.answer(["one two", "three"]))
    service.close()
    assert answers[0]["text"] == predict_texts(loaded, ["one two"])[0].text
    assert answers[0]["version"].startswith("models:/")


def test_another_decoding_is_another_evaluation(trained, loaded, place, data):
    beams = evaluate(replace(loaded, decoding=Decoding(beams=3, max_new_tokens=20)), data, settings=place)
    assert beams.id != trained.evaluation.id
    assert beams.parameters["decoding"]["beams"] == 3
    short = evaluate(replace(loaded, decoding=Decoding(max_new_tokens=1)), data, settings=place)
    assert short.parameters["cut_output_share"] == 1.0
    assert trained.evaluation.parameters["cut_output_share"] < 0.2


def test_the_estimate_counts_writing_and_the_vocabulary(tiny_models, place, data):
    found = estimate_training(TrainConfig("t", model="config:marian-small", **SETTINGS), data, place)
    assert found.seconds > 10
    assert found.unknown_share == 0
    assert found.fits


@pytest.mark.parametrize("task", WRITING)
def test_each_task_trains_on_its_own_columns_and_keeps_the_dev_loss(tiny_models, place, task):
    config = TrainConfig(task, model="config:marian-small", **{**SETTINGS, "task": task, "epochs": 1, "batch_size": 32})
    result = train(config, writers.number_data(task, rows=60), settings=place)
    assert set(result.evaluation.metrics) == {m.name for m in load_task(task).metrics}
    assert len(result.evaluation.tables["baselines"]) >= 1
    assert list(result.version.facts["labels"]) == []
    facts = json.loads((result.version.folder / "training.json").read_text())
    assert facts["cut_output_share"] == 0


def test_outputs_that_are_cut_are_reported(tiny_models, place):
    data = writers.number_data(rows=60)
    long = data.frame.assign(target=data.frame["target"] + " sechs" * 30)
    config = TrainConfig("long", model="config:marian-small", **{**SETTINGS, "epochs": 1, "max_length": 16})
    result = train(config, replace(data, frame=long), settings=place)
    assert result.version.facts["cut_output_share"] == 1.0
    assert any("100.0% of the texts to be learnt were cut" in warning for warning in result.warnings)


def test_a_model_that_only_reads_is_refused(tiny_models, place, data, tiny_folder):
    with pytest.raises(OptionError, match=r"bert-small is an encoder and cannot do translation: choose .*marian-small"):
        train(TrainConfig("b", model="config:bert-small", **SETTINGS), data, settings=place)
    with pytest.raises(InputError, match="A bert model reads and does not write"):
        train(TrainConfig("b", model=f"folder:{tiny_folder}", **SETTINGS | {"method": "full"}), data, settings=place)


def test_rows_without_a_target_are_refused():
    rows = pd.DataFrame({"id": [0, 1], "source": ["a", "b"], "target": ["x", " "]})
    with pytest.raises(DataError, match="It has 1 row without a target, the first is row 2"):
        load_task("translation").check(rows, "It")


@pytest.mark.parametrize("task", WRITING)
def test_the_table_sets_what_was_written_beside_what_was_wanted(task):
    kind = load_task(task)
    rows = pd.DataFrame({"id": [4, 9], kind.source: ["hi you", "bye"], kind.target: ["hello you", "good bye"]})
    table = kind.table(rows, [Prediction(4, score=0.5, text="hello you"), Prediction(9, score=0.25, text="bye")])
    assert table["id"].tolist() == [4, 9]
    assert table["correct"].tolist() == [True, False]
    assert table[kind.row_metric].iloc[0] == pytest.approx(kind.metric(kind.row_metric).maximum)
    assert 0 < table[kind.row_metric].iloc[1] < table[kind.row_metric].iloc[0]
    assert np.isfinite(list(kind.measure(rows, [Prediction(4), Prediction(9)], ()).values())).all()


def test_an_evaluation_can_write_in_another_way(trained, data, place):
    usual, drawn, short = (
        evaluate(trained.version.ref, data, settings=place, decoding=decoding)
        for decoding in ({}, {"sample": True, "temperature": 5.0, "seed": 3}, {"max_new_tokens": 1})
    )
    assert usual.metrics == trained.evaluation.metrics
    assert drawn.metrics["chrf"] < usual.metrics["chrf"]
    assert drawn.parameters["decoding"]["temperature"] == 5.0
    assert short.parameters["cut_output_share"] > 0.5
    assert len({usual.id, drawn.id, short.id}) == 3
    assert (usual.own_way, drawn.own_way, short.own_way) == (True, False, False)
    with pytest.raises(OptionError, match="Sampling goes with one beam"):
        evaluate(trained.version.ref, data, settings=place, decoding={"sample": True, "beams": 2})
