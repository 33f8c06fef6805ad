"""Training that learns a toy rule, is measured beside its baselines, and is the same after a resume."""

from dataclasses import replace

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import Cancelled
from lmcore.models import load_model
from lmcore.models.load import LoadedModel
from lmcore.serving.predictor import Predictor
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import evaluate
from lmcore.training.fit import train
from lmcore.training.full import fit_full
from tests.tasks.speakers import rule_frame, speaker
from tests.training.conftest import Recorder, Stopper, build_job

FULL = {"method": "full", "epochs": 4, "batch_size": 16, "learning_rate": 1e-2, "save_steps": 3, "max_length": 64}


def saved(folder, task, encoder):
    loaded = speaker(task, encoder=encoder)
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return f"folder:{folder}"


def data_of(task):
    return split_dataset(TextDataset("rule", task, rule_frame()), seed=1)


@pytest.mark.parametrize(("task", "encoder"), [("text-generation", False), ("completion", True), ("completion", False)])
def test_a_rule_is_learnt_and_the_version_says_it(task, encoder, tmp_path, settings, tracked):
    data = data_of(task)
    config = TrainConfig("rule", task=task, model=saved(tmp_path / "m", task, encoder), **{**FULL, "epochs": 12})
    before = evaluate(load_model(config.model, task=task, settings=settings), data, settings=settings)
    result = train(config, data, settings=settings)
    assert result.metrics["perplexity"] < 0.2 * before.metrics["perplexity"]
    rivals = result.evaluation.tables["baselines"].set_index("name")
    assert result.metrics["perplexity"] < rivals.loc["unigram", "perplexity"]
    loaded = load_model("models:/rule/1", settings=settings)
    again = evaluate(loaded, data, settings=settings)
    assert again.metrics == pytest.approx(result.evaluation.metrics, rel=1e-5)
    prompt = "Anna told us on [MASK] 3 that nothing is as good as apples" if encoder else "Anna told us on"
    (answer,) = Predictor(loaded).predict([prompt])
    assert "on day" in (f"{prompt} {answer.text}" if task == "text-generation" else answer.text)


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("at", [5, 9])
def test_a_resumed_run_masks_what_an_uninterrupted_one_does(encoder, at, tmp_path, settings):
    data = data_of("completion")
    options = {"task": "completion", "model": saved(tmp_path / "m", "completion", encoder), **FULL}
    whole = build_job(data, settings, tmp_path / "whole", **options)
    fit_full(whole)
    scratch = tmp_path / "halted"
    halted = build_job(data, settings, scratch, report=Stopper(at), **options)
    with pytest.raises(Cancelled):
        fit_full(halted)
    resumed = replace(halted, resume=True, report=Recorder())
    fit_full(resumed)
    for name in ("loss", "dev_loss"):
        wanted, found = whole.report.of(name), resumed.report.of(name)
        assert found
        assert found == pytest.approx({step: wanted[step] for step in found}, abs=1e-6)


def test_the_loss_on_dev_does_not_depend_on_chance(tmp_path, settings):
    """A learning rate of next to nothing leaves the model as it is: its loss on dev is the same after every epoch."""
    options = {"task": "completion", "model": saved(tmp_path / "m", "completion", True), **FULL, "learning_rate": 1e-8}
    job = build_job(data_of("completion"), settings, tmp_path / "s", **options)
    fit_full(job)
    losses = list(job.report.of("dev_loss").values())
    assert losses == pytest.approx([losses[0]] * len(losses), abs=1e-5)


def test_a_base_model_is_measured_beside_the_baselines(tmp_path, settings):
    data = data_of("text-generation")
    found = evaluate(saved(tmp_path / "m", "text-generation", False), data, settings=settings)
    assert found.version.startswith("folder:")
    assert found.tables["baselines"]["name"].tolist() == ["unigram", "bigram"]
    assert found.rival.name == "bigram"
    assert found.rival.beats
    assert found.parameters["decoding"]["seed"] == 0
    assert isinstance(load_model(f"folder:{tmp_path}/m", settings=settings), LoadedModel)
