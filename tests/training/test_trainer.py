import numpy as np
import pytest
import torch

from lmcore.errors import OptionError
from lmcore.models.start import start_model
from lmcore.training.full import fit_full
from lmcore.training.trainer import Rows, build_trainer
from lmcore.training.weights import _smaller
from tests.training.conftest import FULL, Recorder

STEPS = 6  # 96 rows in batches of 16


def weights(trained):
    return torch.cat([p.detach().flatten() for p in trained.model.parameters()])


def test_batches_that_are_added_up_do_what_a_large_one_does(make_job, calm):
    reports = Recorder(), Recorder()
    options = FULL | {"model": calm, "learning_rate": 1e-3}
    large = fit_full(make_job(report=reports[0], **options | {"batch_size": 48}))
    added = fit_full(make_job(report=reports[1], **options | {"batch_size": 16, "accumulation": 3}))
    assert sorted(reports[1].of("loss")) == sorted(reports[0].of("loss")) == list(range(1, 7))
    assert added.dev_metrics["dev_loss"] == pytest.approx(large.dev_metrics["dev_loss"], rel=0.1)


def test_a_step_that_is_computed_in_parts_is_the_same_step(make_job, calm, monkeypatch):
    """Running out of memory halves what is computed at once, and neither the steps nor their order."""
    from transformers import Trainer

    options = FULL | {"model": calm, "learning_rate": 1e-3, "save_steps": 4}
    reports = Recorder(), Recorder()
    whole = fit_full(make_job(report=reports[0], **options))
    step = Trainer.training_step
    seen = []

    def short_of_memory(self, model, inputs, *rest, **named):
        seen.append(len(inputs["input_ids"]))
        if len(inputs["input_ids"]) > (16 if self.state.global_step < 5 else 8):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, model, inputs, *rest, **named)

    monkeypatch.setattr(Trainer, "training_step", short_of_memory)
    parts = fit_full(make_job(report=reports[1], **options))
    assert seen[:6] == [16] * 6
    assert set(seen[6:]) == {8}
    assert len(seen) == 5 + 1 + 2 * (3 * STEPS - 4), "the run goes on from the checkpoint at step 4"
    assert torch.allclose(weights(parts), weights(whole), atol=1e-5)
    assert reports[1].of("dev_loss") == pytest.approx(reports[0].of("dev_loss"), abs=1e-5)


def test_memory_that_runs_out_before_any_checkpoint_begins_with_the_first_weights(make_job, calm, monkeypatch):
    from transformers import Trainer

    options = FULL | {"model": calm, "learning_rate": 1e-3, "save_steps": 100}
    reports = Recorder(), Recorder()
    fit_full(make_job(report=reports[0], **options))
    step = Trainer.training_step

    def short_of_memory(self, model, inputs, *rest, **named):
        if len(inputs["input_ids"]) > 4 and self.state.global_step == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, model, inputs, *rest, **named)

    monkeypatch.setattr(Trainer, "training_step", short_of_memory)
    fit_full(make_job(report=reports[1], **options))
    assert reports[1].of("loss") == pytest.approx(reports[0].of("loss"), abs=1e-4)
    assert reports[1].of("dev_loss") == pytest.approx(reports[0].of("dev_loss"), abs=1e-4)


def test_dev_is_measured_with_what_memory_is_enough_for_too(make_job, calm, monkeypatch):
    from lmcore.tasks.classification import TextClassification

    examine, sizes = TextClassification.examine, []

    def short_of_memory(self, loaded, frame, *, batch_size=32, report=None):
        sizes.append(batch_size)
        if batch_size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return examine(self, loaded, frame, batch_size=batch_size, report=report)

    monkeypatch.setattr(TextClassification, "examine", short_of_memory)
    assert fit_full(make_job(**FULL | {"model": calm, "epochs": 1})).choices == {"epoch": 1}
    assert sizes == [32, 16, 8]


def test_a_measurement_on_dev_says_that_it_goes_on_and_is_not_broken_off(make_job, calm):
    said = []

    class Listener(Recorder):
        def progress(self, fraction, message=""):
            said.append((fraction, message))

    fit_full(make_job(report=Listener(), **FULL | {"model": calm, "epochs": 1}))
    on_dev = [item for item in said if "on dev" in item[1]]
    assert {message.partition(",")[0] for _, message in on_dev} > {"Measuring the loss on dev"}
    assert any(message.endswith("texts predicted") for _, message in on_dev)
    assert [fraction for fraction, _ in said] == sorted(fraction for fraction, _ in said)


@pytest.mark.parametrize(("size", "smaller"), [(32, 16), (16, 8), (2, 1), (10, 5), (15, 5), (7, 1)])
def test_smaller_batches_still_add_up(size, smaller):
    assert _smaller(size) == smaller


def test_schedules_fall_as_they_say(make_job):
    rates = {}
    for schedule in ("linear", "cosine", "constant"):
        report = Recorder()
        fit_full(make_job(report=report, **FULL | {"schedule": schedule, "warmup": 0.25}))
        rates[schedule] = np.array(list(report.of("learning_rate").values()))
    peak = 5  # a quarter of 18 steps
    assert np.allclose(rates["constant"][peak:], 5e-3)
    assert np.allclose(np.diff(rates["linear"][peak:], n=2), 0, atol=1e-9)
    assert rates["cosine"][peak + 3] > rates["linear"][peak + 3]
    assert rates["cosine"][-2] < rates["linear"][-2]


def test_the_gradient_is_clipped(make_job, calm):
    def moved(clip):
        trained = fit_full(make_job(**FULL | {"model": calm, "epochs": 1, "clip": clip, "weight_decay": 0.0}))
        return weights(trained)

    free, loose, tight = moved(0.0), moved(1e6), moved(1e-9)
    assert torch.equal(free, loose)
    start = start_of(make_job, calm)
    assert (tight - start).abs().max() < 0.5 * (free - start).abs().max(), "AdamW's epsilon damps what is so small"


def start_of(make_job, model):
    job = make_job(model=model, **FULL)
    start = start_model(job.config.model, job.task, job.train.frame, job.labels, seed=0, settings=job.settings)
    return torch.cat([p.detach().flatten() for p in start.model.parameters()])


def test_impatience_stops_after_epochs_that_do_not_get_better(make_job, monkeypatch):
    from lmcore.training.watch import Watch

    accuracies = iter([0.5, 0.9, 0.8, 0.7, 0.95])
    monkeypatch.setattr(Watch, "_measure", lambda self, model: {"dev_accuracy": next(accuracies)})
    report = Recorder()
    job = make_job(report=report, **FULL | {"epochs": 5, "patience": 2})
    trained = fit_full(job)
    assert list(report.of("dev_accuracy").values()) == [0.5, 0.9, 0.8, 0.7]
    assert trained.choices == {"epoch": 2}
    again = Recorder()
    resumed = fit_full(make_job(report=again, scratch=job.scratch, resume=True, **FULL | {"epochs": 5, "patience": 2}))
    assert again.of("loss") == {}, "a run that had stopped by itself does not go on when it is resumed"
    assert resumed.choices == {"epoch": 2}


def test_rare_classes_weigh_as_much_as_frequent_ones(make_job, relabelled):
    """With one rare class, weights make the model call it more often."""
    rare = relabelled(lambda f: (f["label"] == "food") & (f["split"] == "train") & (f["id"] % 8 != 0), label="travel")
    found = {}
    for weighted in (False, True):
        trained = fit_full(make_job(data=rare, **FULL | {"epochs": 1, "class_weights": weighted}))
        bias = trained.model.classifier.bias.detach()
        found[weighted] = float(bias[0] - bias[1])
    assert found[True] > found[False]


def test_weighted_classes_are_the_mean_loss_of_each_class(make_job, relabelled):
    rare = relabelled(lambda f: (f["label"] == "food") & (f["split"] == "train") & (f["id"] % 4 != 0), label="travel")
    job = make_job(data=rare, **FULL | {"class_weights": True})
    start = start_model(job.config.model, job.task, job.train.frame, job.labels, seed=0, settings=job.settings)
    rows = job.task.encode(start.tokenizer, job.train.frame, 64, job.labels)
    trainer, _ = build_trainer(job, start, start.model, Rows(rows, rows, 64), penalty=None, at_once=16)
    batch = job.task.collate(start.tokenizer, rows, range(len(rows)))
    model = start.model.train(False)
    with torch.no_grad():
        losses = torch.nn.functional.cross_entropy(model(**batch).logits, batch["labels"], reduction="none")
        model.training = True  # the loss of training, without dropout
        found = trainer.compute_loss(model, dict(batch))
    by_class = [losses[batch["labels"] == number].mean() for number in range(3)]
    assert float(found) == pytest.approx(float(torch.stack(by_class).mean()), rel=1e-5)


def test_a_penalty_is_added_in_training_alone(make_job, calm):
    job = make_job(model=calm, **FULL)
    start = start_model(job.config.model, job.task, job.train.frame, job.labels, seed=0, settings=job.settings)
    rows = job.task.encode(start.tokenizer, job.dev.frame, 64, job.labels)
    three = torch.tensor(3.0)
    trainer, _ = build_trainer(
        job, start, start.model, Rows(rows, rows, 64), penalty=lambda model, batch, outputs: three, at_once=16
    )
    batch = dict(job.task.collate(start.tokenizer, rows, range(8)))
    with torch.no_grad():
        on_dev = trainer.compute_loss(start.model.eval(), batch)
        in_training = trainer.compute_loss(start.model.train(), batch)
    assert float(in_training - on_dev) == pytest.approx(3.0, abs=1e-4)


def test_weights_of_classes_need_classes(make_job):
    job = make_job(task="completion", **FULL | {"class_weights": True})
    with pytest.raises(OptionError, match="Classes cannot be weighted in completion: leave class_weights off"):
        build_trainer(job, None, None, Rows(rows_of(job), rows_of(job), 64), penalty=None, at_once=16)


def rows_of(job):
    from lmcore.models.encode import counted

    class Plain:
        all_special_ids, unk_token_id = (0,), 1

    return counted(Plain(), [[0, 2, 0]] * len(job.train.frame))


def test_bfloat16_is_another_computation_with_the_same_end(make_job):
    found = {}
    for precision in ("float32", "bfloat16", "auto"):
        report = Recorder()
        fit_full(make_job(report=report, **FULL | {"precision": precision}))
        found[precision] = list(report.of("loss").values())
    assert found["auto"] == found["float32"], "on a CPU"
    assert found["bfloat16"] != found["float32"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.15)
