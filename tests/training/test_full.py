import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from lmcore.errors import Cancelled, InputError, LmError, OptionError, StorageError
from lmcore.models import configured
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.start import _is_mean_pooled, start_model
from lmcore.training.full import fit_full
from lmcore.training.trainer import Rows, build_trainer
from lmcore.training.watch import Watch
from tests.training.conftest import FULL, Recorder, Stopper, build_job

STEPS = 6  # 96 rows in batches of 16


def weights(trained):
    return {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}


def assert_same(one, other):
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, other.model.state_dict()[name], atol=1e-6), name
    assert one.choices == other.choices
    assert one.dev_metrics == pytest.approx(other.dev_metrics)


@pytest.fixture(scope="module")
def uninterrupted(topics, tiny_ref, shared_settings, tmp_path_factory):
    """What a run gives that nobody stops, and what it reported."""
    report = Recorder()
    scratch = tmp_path_factory.mktemp("uninterrupted")
    return fit_full(build_job(topics, shared_settings, scratch, report=report, model=str(tiny_ref), **FULL)), report


def joined(*reports):
    """What a job's metrics file says of several attempts: what is recorded again takes the place of what was."""
    return {(step, name): value for report in reports for step, name, value in report.values}


def test_the_loss_falls_and_the_classes_are_learnt(make_job):
    report = Recorder()
    trained = fit_full(make_job(report=report, **FULL | {"epochs": 8}))
    losses = list(report.of("loss").values())
    assert sorted(report.of("loss")) == list(range(1, 8 * STEPS + 1))
    assert np.mean(losses[-STEPS:]) < 0.5 * np.mean(losses[:STEPS])
    assert trained.dev_metrics["dev_accuracy"] >= 0.8
    assert sorted(report.of("dev_accuracy")) == [STEPS * epoch for epoch in range(1, 9)]
    assert report.fractions == sorted(report.fractions)
    assert not trained.model.training
    assert trained.model.config.id2label == {0: "food", 1: "travel", 2: "weather"}


def test_the_rate_rises_and_falls(make_job):
    report = Recorder()
    fit_full(make_job(report=report, **FULL | {"warmup": 0.5}))
    rates = list(report.of("learning_rate").values())
    peak = int(np.argmax(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) <= FULL["learning_rate"]


def test_the_same_seed_gives_the_same_weights(make_job, uninterrupted):
    trained, report = uninterrupted
    torch.manual_seed(99)
    again = Recorder()
    assert_same(fit_full(make_job(report=again, **FULL)), trained)
    assert joined(again) == pytest.approx(joined(report), abs=1e-6)
    other = fit_full(make_job(**FULL | {"seed": 1}))
    assert not torch.allclose(other.model.classifier.weight, trained.model.classifier.weight)


@pytest.mark.parametrize("step", [2, STEPS, STEPS + 3, 2 * STEPS + 5, 3 * STEPS])
def test_a_cancelled_run_that_is_resumed_equals_an_uninterrupted_one(make_job, uninterrupted, step):
    trained, whole = uninterrupted
    first, second = Stopper(step), Recorder()
    job = make_job(report=first, **FULL)
    with pytest.raises(Cancelled, match="its last checkpoint is kept"):
        fit_full(job)
    assert max(first.of("loss")) == step
    assert sorted(first.of("dev_accuracy")) == [s for s in (6, 12, 18) if s <= step], "only whole epochs are measured"
    resumed = fit_full(make_job(report=second, scratch=job.scratch, resume=True, **FULL))
    assert min(second.of("loss"), default=step + 1) == step + 1, "nothing is done twice"
    assert_same(resumed, trained)
    assert joined(first, second) == pytest.approx(joined(whole), abs=1e-6)


class Killed(BaseException):
    """Stands in for a process that ends at once."""


class Dying(Recorder):
    """Dies when a value is to be recorded at a step."""

    def __init__(self, step, name):
        super().__init__()
        self.at = (step, name)

    def metrics(self, step, values):
        if self.at[0] == step and self.at[1] in values:
            raise Killed
        super().metrics(step, values)


@pytest.mark.parametrize(
    ("at", "save_steps"),
    [
        ((STEPS + 1, "loss"), 4),
        ((STEPS + 2, "loss"), STEPS),
        ((2 * STEPS, "loss"), STEPS),
        ((2 * STEPS, "dev_loss"), STEPS),
        ((2 * STEPS, "dev_loss"), 100),
        ((3 * STEPS, "dev_loss"), STEPS),
    ],
)
def test_a_killed_run_that_is_resumed_equals_an_uninterrupted_one(make_job, uninterrupted, at, save_steps):
    trained, whole = uninterrupted
    options = FULL | {"save_steps": save_steps}
    first, second = Dying(*at), Recorder()
    job = make_job(report=first, **options)
    with pytest.raises(Killed):
        fit_full(job)
    resumed = fit_full(make_job(report=second, scratch=job.scratch, resume=True, **options))
    assert_same(resumed, trained)
    assert joined(first, second) == pytest.approx(joined(whole), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "damage"),
    [("model.safetensors", "gone"), ("optimizer.pt", "cut"), ("trainer_state.json", "cut"), ("manifest.json", "gone")],
)
def test_a_half_written_checkpoint_is_passed_over(make_job, uninterrupted, name, damage):
    trained, _ = uninterrupted
    report = Stopper(2 * STEPS + 2)
    job = make_job(report=report, **FULL)
    with pytest.raises(Cancelled):
        fit_full(job)
    newest = job.scratch / f"checkpoint-{2 * STEPS + 2}" / name
    whole = newest.read_bytes()
    newest.unlink()
    if damage == "cut":
        newest.write_bytes(whole[: len(whole) // 2])
    second = Recorder()
    resumed = fit_full(make_job(report=second, scratch=job.scratch, resume=True, **FULL))
    assert min(second.of("loss")) == 2 * STEPS + 1
    assert_same(resumed, trained)


def test_without_resume_checkpoints_are_not_taken_up(make_job):
    job = make_job(report=Stopper(STEPS), **FULL)
    with pytest.raises(Cancelled):
        fit_full(job)
    report = Recorder()
    fit_full(make_job(report=report, scratch=job.scratch, resume=False, **FULL))
    assert min(report.of("loss")) == 1


def test_at_most_two_checkpoints_are_kept(make_job):
    job = make_job(**FULL | {"save_steps": 2})
    fit_full(job)
    assert sorted(path.name for path in job.scratch.glob("checkpoint-*")) == ["checkpoint-16", "checkpoint-18"]
    assert len(list((job.scratch / "best").glob("*.safetensors"))) == 1


def test_the_weights_of_the_best_epoch_come_back(make_job, monkeypatch):
    accuracies, seen = iter([0.5, 0.9, 0.9]), {}
    original = Watch.on_evaluate

    def pretending(self, args, state, control, metrics, **rest):
        seen[round(state.epoch)] = {k: v.clone() for k, v in rest["model"].state_dict().items()}
        monkeypatch.setattr(self, "_measure", lambda model: {"dev_accuracy": next(accuracies)})
        original(self, args, state, control, metrics, **rest)

    monkeypatch.setattr(Watch, "on_evaluate", pretending)
    trained = fit_full(make_job(**FULL))
    assert trained.choices == {"epoch": 2}
    assert trained.dev_metrics["dev_accuracy"] == 0.9
    for name, tensor in weights(trained).items():
        assert torch.equal(tensor, seen[2][name])
    assert not torch.equal(seen[2]["classifier.weight"], seen[3]["classifier.weight"])


def test_dev_accuracy_is_that_of_the_model_that_is_returned(make_job, topics):
    job = make_job(**FULL)
    trained = fit_full(job)
    ids = encode_texts(trained.tokenizer, job.dev.frame["text"].tolist(), 64).ids
    with torch.inference_mode():
        found = trained.model(**pad_batch(trained.tokenizer, ids)).logits.argmax(dim=1).numpy()
    assert trained.dev_metrics["dev_accuracy"] == pytest.approx(
        (found == job.task.gold(job.dev.frame, job.labels)).mean()
    )


def test_a_loss_that_is_no_number_is_one_sentence(make_job, tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "damaged")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    model.save_pretrained(folder)
    with pytest.raises(LmError, match=r"The loss is nan at step 1: lower the learning rate \(0\.005\)"):
        fit_full(make_job(model=f"folder:{folder}", **FULL))


def test_a_full_disk_is_one_sentence(make_job, monkeypatch):
    def refuse(*given, **named):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(StorageError, match="The disk is full"):
        fit_full(make_job(**FULL))


def test_memory_that_runs_out_is_one_sentence(make_job, monkeypatch):
    def refuse(self, *given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.Trainer.training_step", refuse)
    with pytest.raises(LmError, match="ran out of memory with a single text: take a smaller model"):
        fit_full(make_job(**FULL))


SCRATCH = {**FULL, "method": "scratch", "model": "config:bert-small", "layers": 1, "width": 32, "heads": 2}


def test_a_model_from_a_configuration_learns_and_keeps_its_tokenizer(make_job, monkeypatch):
    options = {**SCRATCH, "epochs": 8}
    trained = fit_full(make_job(**options))
    assert trained.dev_metrics["dev_accuracy"] >= 0.8
    assert trained.encodings.unknown_share < 0.2
    job = make_job(report=Stopper(9), **options)
    with pytest.raises(Cancelled):
        fit_full(job)
    monkeypatch.setattr(configured, "train_tokenizer", None)
    assert_same(fit_full(make_job(scratch=job.scratch, resume=True, **options)), trained)


def test_the_tokenizer_is_trained_on_the_train_split_alone(make_job, relabelled):
    data = relabelled(lambda frame: frame["split"] != "train", text="xylophone xylophone xylophone")
    trained = fit_full(make_job(data=data, **SCRATCH | {"epochs": 1}))
    assert "xylophone" not in trained.tokenizer.get_vocab()
    assert "weather" not in trained.tokenizer.get_vocab()
    assert "rain" in trained.tokenizer.get_vocab()


def test_other_labels_get_a_new_head(make_job, relabelled):
    data = relabelled(lambda frame: frame["label"] == "travel", label="food")
    trained = fit_full(make_job(data=data, **FULL | {"epochs": 1}))
    assert trained.model.config.id2label == {0: "food", 1: "weather"}
    assert trained.model.classifier.weight.shape[0] == 2


def test_half_precision_weights_are_trained_in_full_precision(make_job, tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "half")
    AutoModelForSequenceClassification.from_pretrained(folder).half().save_pretrained(folder)
    trained = fit_full(make_job(model=f"folder:{folder}", **FULL | {"epochs": 1}))
    assert {tensor.dtype for tensor in trained.model.parameters()} == {torch.float32}


def test_a_decoder_without_a_padding_token_can_be_trained(make_job, tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "decoder")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["eos_token"] = settings.pop("sep_token")
    settings.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    config = GPT2Config(vocab_size=300, n_layer=1, n_embd=32, n_head=2, n_positions=64, num_labels=3)
    GPT2ForSequenceClassification(config).save_pretrained(folder)
    trained = fit_full(make_job(model=f"folder:{folder}", **FULL | {"epochs": 1}))
    assert trained.model.config.pad_token_id == trained.tokenizer.pad_token_id == trained.tokenizer.eos_token_id
    ids = encode_texts(trained.tokenizer, ["rain", "the bread and the soup today"], 64).ids
    with torch.inference_mode():
        both = trained.model(**pad_batch(trained.tokenizer, ids)).logits
        alone = trained.model(**pad_batch(trained.tokenizer, ids[:1])).logits
    assert torch.allclose(both[:1], alone, atol=1e-5)


def test_a_device_that_cannot_be_trained_on_is_refused_before_anything_is_loaded(make_job, settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    job = make_job(model="folder:/nowhere", **FULL)
    with pytest.raises(OptionError, match="torch finds none here"):
        fit_full(replace(job, settings=replace(settings, device="cuda")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(OptionError, match="set CUDA_VISIBLE_DEVICES to 1 and LMSCOPE_DEVICE to cuda"):
        fit_full(replace(job, settings=replace(settings, device="cuda:1")))


def test_one_device_does_the_work_where_there_are_several(make_job, monkeypatch):
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 4))
    job = make_job(**FULL)
    given = (job.config.model, job.task, job.train.frame, job.labels)
    start = start_model(*given, seed=0, settings=job.settings)
    rows = job.task.encode(start.tokenizer, job.dev.frame, start.max_length, job.labels)
    trainer, _ = build_trainer(job, start, start.model, Rows(rows, rows, 64), penalty=None, at_once=16)
    assert trainer.args._n_gpu == 1


def test_quantised_weights_are_refused(make_job, tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="choose another model, or the method head"):
        fit_full(make_job(model=f"gguf:{tmp_path}/x.gguf", **FULL))


@pytest.mark.parametrize("noted", ['{"pooling_mode_mean_tokens": false}', "[]", "not json"])
def test_only_a_noted_mean_is_taken(tmp_path, noted):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(noted)
    assert not _is_mean_pooled(tmp_path)
    assert not _is_mean_pooled(tmp_path / "elsewhere")
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert _is_mean_pooled(tmp_path)


def test_a_checkpoint_of_weights_that_are_no_numbers_does_not_count(make_job, monkeypatch):
    """The loss is logged only now and then, and a save may come before it."""
    monkeypatch.setattr(Watch, "on_log", lambda *_, **__: None)
    step = Trainer.training_step

    def spoilt(self, model, *given, **named):
        loss = step(self, model, *given, **named)
        if self.state.global_step == 6:
            next(model.parameters()).grad.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Trainer, "training_step", spoilt)
    job = make_job(**FULL | {"clip": 0.0})
    with pytest.raises(LmError, match="A weight is not a number any more at step 8: lower the learning rate"):
        fit_full(job)
    assert [path.name for path in job.scratch.glob("checkpoint-*")] == ["checkpoint-4"]
