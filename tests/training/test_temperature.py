import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, InputError, UnknownError
from lmcore.models import ModelRegistry, load_model
from lmcore.models.load import TEMPERATURE
from lmcore.models.start import start_model
from lmcore.serving import Predictor
from lmcore.tasks import load_task
from lmcore.training.calibration import calibration
from lmcore.training.evaluation import load_evaluation
from lmcore.training.judging import run_calibration
from lmcore.training.temperature import HIGHEST, calibrate, fit_temperature
from lmcore.types import Silent
from tests.training.conftest import Stopper
from tests.training.judged import calibrated as drawn
from tests.training.judged import evaluation


@pytest.fixture(scope="module")
def mistaken(topics):
    """The data set with a fifth of the labels wrong, so that a head on it has something to be too sure of."""
    frame = topics.frame.copy()
    frame.loc[frame.index % 5 == 0, "label"] = frame["label"].shift(1).fillna("food")
    return replace(topics, name="mistaken", frame=frame)


@pytest.fixture(scope="module")
def made(trained, mistaken, shared_settings):
    """The trained version calibrated on the mistaken rows."""
    stored = DatasetStore(shared_settings.workspace).save(mistaken)
    return calibrate("models:/topics/1", stored, settings=shared_settings)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_spoilt_exact_probabilities_is_found(temperature):
    gold, p = drawn(4000, temperature=temperature)
    fit = fit_temperature(p, gold)
    assert fit.temperature == pytest.approx(1 / temperature, rel=0.08)
    assert fit.after <= fit.before
    assert fit.rows == 4000


def test_it_is_the_minimum_that_lbfgs_finds():
    gold, p = drawn(500, temperature=0.5)
    logits, wanted = torch.from_numpy(np.log(p)), torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([wanted], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(logits / wanted.exp(), torch.from_numpy(gold))
        loss.backward()
        return loss

    optimizer.step(closure)
    fit = fit_temperature(p, gold)
    assert fit.temperature == pytest.approx(float(wanted.detach().exp()), rel=1e-3)
    assert fit.after == pytest.approx(float(closure().detach()), abs=1e-7)


def test_it_brings_the_error_down_and_changes_no_answer():
    gold, p = drawn(1500, temperature=0.4)
    fit = fit_temperature(*reversed(drawn(1500, temperature=0.4, seed=1)))
    scaled = p ** (1 / fit.temperature)
    scaled /= scaled.sum(axis=1, keepdims=True)
    before, after = calibration(evaluation(gold, p)), calibration(evaluation(gold, scaled))
    assert after.value("ece") < before.value("ece") / 3
    assert (scaled.argmax(axis=1) == p.argmax(axis=1)).all()


def test_probabilities_of_nothing_but_noise_are_flattened_to_the_end():
    p = np.tile([0.98, 0.01, 0.01], (90, 1))
    assert fit_temperature(p, np.arange(90) % 3).temperature == pytest.approx(HIGHEST, rel=0.01)


def test_without_an_error_on_dev_there_is_nothing_to_fit():
    with pytest.raises(InputError, match="None of the 3 dev rows is predicted wrongly"):
        fit_temperature(np.eye(3), np.arange(3))


def test_a_calibrated_version_is_a_new_one_with_the_same_weights_and_answers(made, trained, shared_settings):
    registry = ModelRegistry(shared_settings.workspace)
    old, new = registry.get("models:/topics/1"), made.version
    assert (new.name, new.version) == ("topics", 2)
    assert new.facts["calibrated_from"] == "models:/topics/1"
    assert new.facts["calibrated_on"] == "mistaken@1:dev"
    assert new.facts["temperature"] > 1.1
    assert (old.folder / "model.safetensors").read_bytes() == (new.folder / "model.safetensors").read_bytes()
    assert TEMPERATURE not in json.loads((old.folder / "config.json").read_text())
    texts = ["rain and sun", "bread soup", "the hotel map"]
    answers = [Predictor(load_model(v.ref, settings=shared_settings)).predict(texts) for v in (old, new)]
    for before, after in zip(*answers, strict=True):
        assert before.label == after.label
        assert after.score < before.score
        logs = np.log(list(before.probabilities.values())) / new.facts["temperature"]
        wanted = np.exp(logs) / np.exp(logs).sum()
        assert list(after.probabilities.values()) == pytest.approx(wanted.tolist(), abs=1e-5)


def test_the_new_version_is_measured_on_test_beside_the_old_one(made, shared_settings):
    kept = load_evaluation(shared_settings.workspace, made.evaluation)
    assert (kept.version, kept.data) == ("models:/topics/2", "mistaken@1:test")
    assert made.before.version == "models:/topics/1"
    assert made.fit.after < made.fit.before
    assert made.after.value("nll") < made.before.value("nll")
    assert made.verdict.startswith("models:/topics/2 divides its logits by ")
    assert "fitted on 12 dev rows" in made.verdict


def test_calibrating_again_multiplies_the_temperatures(made, shared_settings):
    again = calibrate(
        made.version.ref, DatasetStore(shared_settings.workspace).load("mistaken@1"), settings=shared_settings
    )
    assert again.fit.temperature == pytest.approx(1.0, abs=1e-3)
    assert again.version.facts["temperature"] == pytest.approx(made.version.facts["temperature"], rel=1e-3)


def test_training_on_from_it_forgets_the_temperature(made, topics, shared_settings):
    task = load_task("text-classification")
    labels = task.labels(topics.frame)
    start = start_model(made.version.ref, task, topics.frame, labels, seed=0, settings=shared_settings)
    assert getattr(start.model.config, TEMPERATURE) == 1.0
    assert load_model(made.version.ref, settings=shared_settings).temperature > 1.1


def test_as_a_job(made, shared_settings, monkeypatch):
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    config = {"version": "models:/topics/1", "data": "mistaken@1"}
    answer = run_calibration(config, workspace=shared_settings.workspace, report=Silent(), resume=False)
    assert json.loads(json.dumps(answer)) == answer
    assert answer["temperature"] == pytest.approx(made.version.facts["temperature"])
    assert answer["before"] == made.before.value("ece")


def test_what_cannot_be_calibrated(made, topics, mistaken, shared_settings):
    with pytest.raises(UnknownError, match="no registered model 'gone'"):
        calibrate("models:/gone/1", topics, settings=shared_settings)
    whole = replace(topics, frame=topics.frame.drop(columns="split"))
    with pytest.raises(DataError, match="is not split yet"):
        calibrate("models:/topics/1", whole, settings=shared_settings)
    part = DatasetStore(shared_settings.workspace).load("mistaken@1:test")
    with pytest.raises(DataError, match="mistaken@1:test is one split alone"):
        calibrate("models:/topics/1", part, settings=shared_settings)
    before = len(ModelRegistry(shared_settings.workspace).list("topics"))
    with pytest.raises(Cancelled):
        calibrate("models:/topics/1", mistaken, settings=shared_settings, report=Stopper(1))
    assert len(ModelRegistry(shared_settings.workspace).list("topics")) == before
