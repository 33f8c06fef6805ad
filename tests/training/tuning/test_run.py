import json
import sqlite3
from dataclasses import replace
from math import log10

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, JobError, LmError, OptionError, StorageError, UnknownError
from lmcore.models import ModelRegistry
from lmcore.training import full
from lmcore.training.config import TrainConfig
from lmcore.training.trained import Trained
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.importance import setting_importance
from lmcore.training.tuning.job import estimate_search, forget_search, run_search, search_config, tell_search
from lmcore.training.tuning.result import LOCK, STUDY, kept_searches, load_search, search_folder
from lmcore.training.tuning.run import extended, search, search_id
from lmcore.training.tuning.runs import RUNS, note_run, noted_runs
from lmcore.training.tuning.space import Choices, Range
from lmcore.types import Silent
from tests.training.conftest import Recorder, Stopper

SPACE = {"learning_rate": Range(1e-6, 1e-2, log=True), "weight_decay": Range(0.0, 0.5)}
EPOCHS = 4


@pytest.fixture
def base(tiny_ref):
    return TrainConfig("topics", model=str(tiny_ref), method="full", epochs=EPOCHS, batch_size=16, learning_rate=1e-6)


class Fake:
    """Stands in for the training: its dev accuracy rises with the epochs, and most with a learning rate of 1e-3."""

    def __init__(self):
        self.runs = []
        self.epochs = 0
        self.fail = lambda config: None

    def __call__(self, job):
        if error := self.fail(job.config):
            raise error
        self.runs.append((job.config.learning_rate, job.config.weight_decay))
        peak = 1 - 0.2 * abs(log10(job.config.learning_rate) + 3)
        for epoch in range(1, job.config.epochs + 1):
            job.report.progress(epoch / job.config.epochs, f"epoch {epoch}")
            job.report.check()
            self.epochs += 1
            job.report.metrics(6 * epoch, {"dev_accuracy": peak * epoch / EPOCHS, "dev_loss": 1.0})
        return Trained(None, None, {}, {"dev_accuracy": peak}, None, 1)


@pytest.fixture
def fake(monkeypatch):
    made = Fake()
    monkeypatch.setattr(full, "fit_full", made)
    monkeypatch.setattr("lmcore.training.tuning.run.gc.collect", lambda: 0)  # nothing was made that has to go
    return made


@pytest.fixture
def config(base):
    return SearchConfig(base, SPACE, trials=12, startup=4, register=False)


def same(one, other):
    pd.testing.assert_frame_equal(one.trials.drop(columns="seconds"), other.trials.drop(columns="seconds"))


def test_the_search_beats_what_it_begins_with_and_registers_it(base, topics, tracked, settings):
    small = replace(base, epochs=4)
    space = {"learning_rate": Choices((1e-6, 1e-3, 5e-3))}
    report = Recorder()
    found = search(SearchConfig(small, space, trials=3), topics, settings=settings, report=report)
    first, best = found.trials.iloc[0], found.best_row
    assert first["learning_rate"] == 1e-6, "the first trial is what the search begins with"
    assert best["value"] > first["value"] + 0.2
    assert found.best.learning_rate == best["learning_rate"]
    assert found.verdict.startswith(
        f"The best of 3 trials is trial {best['trial']}: Accuracy {best['value']:.3f} on dev"
    )
    assert f"The first trial had {first['value']:.3f}." in found.verdict
    version = ModelRegistry(tracked).get("models:/topics/1")
    assert found.registered["version"] == str(version.ref)
    assert version.facts["config"]["learning_rate"] == best["learning_rate"]
    assert version.metrics["dev_accuracy"] == pytest.approx(best["value"])
    assert report.fractions == sorted(report.fractions)
    assert set(report.of("best")) == {1, 2, 3}
    assert report.of("best")[3] == best["value"]
    assert not list(tracked.checkpoints.iterdir())
    again = search(SearchConfig(small, space, trials=3), topics, settings=settings)
    same(again, found)
    assert len(ModelRegistry(tracked).list()) == 1, "the same best is not registered twice"


def test_the_test_split_is_not_read_before_the_end(config, fake, topics, settings, monkeypatch):
    asked = []
    real = type(topics).part
    monkeypatch.setattr(type(topics), "part", lambda data, split: (asked.append(split), real(data, split))[1])
    search(config, topics, settings=settings)
    assert set(asked) == {"train", "dev"}


def test_stopping_early_saves_epochs_and_finds_the_same(config, fake, topics, settings):
    whole = search(replace(config, pruner="none"), topics, settings=settings)
    assert fake.epochs == 12 * EPOCHS
    fake.epochs = 0
    early = search(config, topics, settings=settings)
    stopped = early.trials[early.trials["state"] == "stopped early"]
    assert len(stopped) > 2
    assert fake.epochs == early.trials["epochs"].sum() == 12 * EPOCHS - (EPOCHS - stopped["epochs"]).sum()
    assert fake.epochs < 0.85 * 12 * EPOCHS
    assert (early.trials["state"].head(4) == "finished").all(), "none of the first is stopped"
    assert abs(log10(early.best.learning_rate) + 3) < 0.7
    assert abs(log10(whole.best.learning_rate) + 3) < 0.7


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_stopped_and_taken_up_again_it_is_the_same_search(config, fake, topics, settings, tmp_path, pruner):
    config = replace(config, pruner=pruner)
    whole = search(config, topics, settings=settings)
    runs, fake.runs = fake.runs, []
    elsewhere = replace(settings, workspace=type(settings.workspace)(tmp_path / "other"))
    for at in (9, 17):
        with pytest.raises(Cancelled):
            search(config, topics, settings=elsewhere, report=Stopper(at))
    interrupted = load_search(elsewhere.workspace, whole.id)
    assert interrupted.trials["state"].iloc[-1] == "running"
    assert 0 < interrupted.ended < 12
    same(search(config, topics, settings=elsewhere), whole)
    assert list(dict.fromkeys(fake.runs)) == runs, "ended trials are not run again"
    assert len(fake.runs) == len(runs) + 2


def test_it_is_extended_as_if_it_had_been_longer(config, fake, topics, settings, tmp_path):
    whole = search(config, topics, settings=settings)
    elsewhere = replace(settings, workspace=type(settings.workspace)(tmp_path / "other"))
    short = search(replace(config, trials=5), topics, settings=elsewhere)
    assert short.id == whole.id
    fake.runs.clear()
    longer = extended(config, topics, 7, elsewhere)
    assert longer.trials == 12
    same(search(longer, topics, settings=elsewhere), whole)
    assert len(fake.runs) == 7
    with pytest.raises(UnknownError, match="There is no search"):
        extended(replace(config, search_seed=9), topics, 7, elsewhere)


def test_it_begins_afresh_where_that_is_asked_for(config, fake, topics, settings):
    config = replace(config, trials=3)
    first = search(config, topics, settings=settings)
    same(search(config, topics, settings=settings, fresh=True), first)
    assert len(fake.runs) == 6


def test_what_changes_the_trials_changes_the_id(config, topics):
    one = search_id(config, topics)
    assert search_id(replace(config, trials=99, register=True, base=replace(config.base, name="other")), topics) == one
    others = [
        replace(config, search_seed=1),
        replace(config, sampler="random"),
        replace(config, space={"epochs": Range(1, 3)}),
        replace(config, base=replace(config.base, epochs=2)),
    ]
    assert len({one, *(search_id(other, topics) for other in others)}) == 5


def test_a_small_space_is_tried_out_once(base, fake, topics, settings):
    space = {"batch_size": Choices((8, 16)), "schedule": Choices(("linear", "constant"))}
    found = search(SearchConfig(base, space, trials=20, register=False, pruner="none"), topics, settings=settings)
    assert len(found.trials) == 4
    assert len(set(zip(found.trials["batch_size"], found.trials["schedule"], strict=True))) == 4


def test_settings_that_fail_are_told_and_the_search_goes_on(config, fake, topics, settings):
    fake.fail = lambda tried: LmError("The loss is nan at step 3.") if tried.learning_rate > 3e-3 else None
    found = search(replace(config, pruner="none", sampler="random", trials=20), topics, settings=settings)
    failed = found.trials[found.trials["state"] == "failed"]
    assert len(failed)
    assert (failed["learning_rate"] > 3e-3).all()
    assert set(failed["reason"]) == {"The loss is nan at step 3."}
    assert found.best.learning_rate <= 3e-3
    assert f"{len(failed)} failed" in found.verdict


def test_where_all_fail_it_is_given_up(config, fake, topics, settings):
    fake.fail = lambda tried: LmError("The loss is nan.")
    with pytest.raises(LmError, match="No trial of the search came to an end; the last one said: The loss is nan"):
        search(config, topics, settings=settings)
    found = load_search(settings.workspace, search_id(config, topics))
    assert len(found.trials) == 5
    assert found.best is None
    assert found.verdict.startswith("5 trials have ended, and none of them")


def test_what_is_no_fault_of_the_settings_ends_the_search(config, fake, topics, settings):
    fake.fail = lambda tried: StorageError("The disk is full.")
    with pytest.raises(StorageError, match="The disk is full"):
        search(config, topics, settings=settings)
    fake.fail = lambda tried: None
    assert search(config, topics, settings=settings).ended == 12


def test_two_at_once_are_refused(config, fake, topics, settings):
    refused = []

    def again(tried):
        with pytest.raises(JobError, match="is running already") as error:
            search(config, topics, settings=settings)
        refused.append(error.value)

    fake.fail = again
    assert search(replace(config, trials=2), topics, settings=settings).ended == 2
    assert len(refused) == 2


def test_only_shapes_that_can_be_are_proposed_and_the_best_is_registered(topics, tracked, settings):
    base = TrainConfig(
        "shapes",
        model="config:bert-small",
        method="scratch",
        epochs=1,
        batch_size=32,
        max_length=32,
        vocabulary=300,
        learning_rate=5e-3,
    )
    space = {"layers": Range(1, 2), "width": Choices((16, 24, 30)), "heads": Choices((1, 2, 4, 6))}
    found = search(SearchConfig(base, space, trials=5, startup=3), topics, settings=settings)
    assert set(found.trials["state"]) <= {"finished", "stopped early"}
    assert (found.trials["width"] % (2 * found.trials["heads"]) == 0).all()
    version = ModelRegistry(tracked).get(found.registered["version"])
    shape = json.loads((version.folder / "config.json").read_text())
    best = found.best
    assert (shape["num_hidden_layers"], shape["hidden_size"], shape["num_attention_heads"]) == (
        best.layers,
        best.width,
        best.heads,
    )


def test_a_range_of_widths_keeps_to_what_all_heads_divide(base, fake, topics, settings, monkeypatch):
    monkeypatch.setattr(full, "fit_full", fake)
    base = replace(base, model="config:bert-small", method="scratch", learning_rate=1e-3)
    space = {"width": Range(20, 100), "heads": Choices((2, 3))}
    found = search(SearchConfig(base, space, trials=12, register=False), topics, settings=settings)
    assert set(found.trials["width"]) <= set(range(24, 97, 12))
    assert found.trials["width"].nunique() > 3


def test_a_head_is_searched_by_its_loss_with_vectors_computed_once(topics, tiny_ref, settings, monkeypatch):
    from lmcore.models import hidden

    passes = []
    real = hidden.mean_pooled_states
    monkeypatch.setattr(hidden, "mean_pooled_states", lambda *a, **k: (passes.append(1), real(*a, **k))[1])
    base = TrainConfig("topics", model=str(tiny_ref), layer=2, strength=1e-4)
    found = search(SearchConfig(base, {}, trials=4, register=False), topics, settings=settings)
    assert set(found.space) == {"strength"}
    assert found.metric.name == "loss"
    assert not found.metric.higher
    assert found.best_row["value"] == found.trials["value"].min() < found.trials["value"].iloc[0]
    assert (found.trials["epochs"] == 0).all()
    assert len(passes) == 2, "train and dev, once for all trials"


def test_the_importance_of_a_known_function(config, fake, topics, settings):
    found = search(replace(config, pruner="none", sampler="random", trials=25), topics, settings=settings)
    measured = setting_importance(found)
    assert measured.shares["setting"].tolist() == ["learning_rate", "weight_decay"]
    assert measured.shares["share"].iloc[0] > 0.9
    assert measured.shares["share"].sum() == pytest.approx(1)
    assert measured.trials == 25
    few = replace(found, trials=found.trials.head(5))
    assert setting_importance(few).shares.empty
    assert setting_importance(few).note == "The importance of settings is told from 6 finished trials on; so far: 5."
    level = replace(found, trials=found.trials.assign(value=0.5))
    assert "no setting matters" in setting_importance(level).note
    alone = replace(found, config={**found.config, "space": {"weight_decay": [0.0, 0.5]}})
    assert setting_importance(alone).note == "One setting alone is searched: all differences are its doing."


def test_as_a_job_and_kept(config, fake, topics, tracked, monkeypatch):
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    stored = DatasetStore(tracked).save(topics)
    asked = json.loads(json.dumps(search_config(replace(config, trials=3), str(stored.ref), workspace=tracked)))
    report = Silent()
    report.job_id = "20260101-000000-abcdef"
    answer = run_search(asked, workspace=tracked, report=report, resume=False)
    assert noted_runs(search_folder(tracked, asked["id"])) == [report.job_id]
    run_search(asked, workspace=tracked, report=Silent(), resume=False)
    assert noted_runs(search_folder(tracked, asked["id"])) == [report.job_id, ""], "called from Python"
    assert answer["search"] == asked["id"]
    found = load_search(tracked, answer["search"])
    assert answer["verdict"] == found.verdict
    assert answer["best"] == found.best.to_dict()
    assert answer["version"] == ""
    (kept,) = kept_searches(tracked)
    assert (kept.id, kept.data, kept.method, kept.trials) == (found.id, str(stored.ref), "full", 3)


def test_what_it_takes_is_that_of_the_largest_trials(base, topics, settings):
    space = {"batch_size": Choices((8, 64)), "epochs": Range(1, 4)}
    few = estimate_search(SearchConfig(base, space, trials=2), topics, settings)
    many = estimate_search(SearchConfig(base, space, trials=200), topics, settings)
    assert many.seconds > 20 * few.seconds
    assert many.nbytes == few.nbytes


def test_damaged_files_are_one_sentence(config, fake, topics, settings):
    found = search(replace(config, trials=1), topics, settings=settings)
    file = search_folder(settings.workspace, found.id) / STUDY
    with sqlite3.connect(file) as connection:
        assert connection.execute("select count(*) from trials").fetchone() == (1,)
    connection.close()
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="cannot be read or written"):
        load_search(settings.workspace, found.id)
    file.unlink()
    with pytest.raises(StorageError, match="are gone: run it again"):
        load_search(settings.workspace, found.id)
    with pytest.raises(UnknownError, match="There is no search 'x'"):
        load_search(settings.workspace, "x")
    (file.parent / "search.json").write_text("{")
    assert kept_searches(settings.workspace) == []
    with pytest.raises(StorageError, match="is damaged"):
        load_search(settings.workspace, found.id)


def test_what_cannot_be_searched(config, topics, settings):
    with pytest.raises(DataError, match="is not split yet"):
        search(config, replace(topics, frame=topics.frame.drop(columns="split")), settings=settings)
    with pytest.raises(OptionError, match="The option trials is 0"):
        search(replace(config, trials=0), topics, settings=settings)
    with pytest.raises(OptionError, match="A search has no setting 'depth'"):
        SearchConfig.from_dict({**config.to_dict(), "depth": 1})
    assert SearchConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config.checked()


def test_nothing_is_printed(config, fake, topics, settings, capfd):
    search(replace(config, trials=6), topics, settings=settings)
    assert capfd.readouterr() == ("", "")


def test_a_figure_that_is_no_number_is_a_failure(config, fake, topics, settings, monkeypatch):
    def broken(job):
        trained = fake(job)
        low = job.config.learning_rate < 1e-5
        return replace(trained, dev_metrics={"dev_accuracy": np.nan if low else trained.dev_metrics["dev_accuracy"]})

    monkeypatch.setattr(full, "fit_full", broken)
    found = search(replace(config, trials=4, pruner="none"), topics, settings=settings)
    assert found.trials["state"].iloc[0] == "failed"
    assert "cannot be compared" in found.trials["reason"].iloc[0]
    assert found.best is not None


def as_a_job(config, topics, settings, job):
    """Search as the job with this id would."""
    return search(config, topics, settings=settings, job=job)


def test_trials_go_with_the_last_of_the_jobs_that_made_them(config, fake, topics, settings):
    workspace = settings.workspace
    found = as_a_job(replace(config, trials=2), topics, settings, "first")
    as_a_job(replace(config, trials=3), topics, settings, "second")
    as_a_job(replace(config, trials=3), topics, settings, "second")  # resumed
    folder, told = search_folder(workspace, found.id), {"id": found.id}
    scratch = workspace.folder(workspace.checkpoints / f"search-{found.id}")
    another = workspace.folder(search_folder(workspace, "f" * 16))
    stays = "The 3 trials of its search stay: they are not this job's alone."
    # A job that searches the same and never began has no part in them.
    for job, others in (
        ("never began", ["first", "second"]),
        ("never began", []),
        ("first", ["second", "never began"]),
    ):
        assert tell_search(told, workspace=workspace, job=job, others=others) == stays
        assert forget_search(told, workspace=workspace, job=job, others=others, force=False) == stays
        assert load_search(workspace, found.id).ended == 3
    last = {"job": "second", "others": ["never began"]}
    assert tell_search(told, workspace=workspace, **last) == "3 trials will go with it."
    assert folder.exists()
    assert forget_search(told, workspace=workspace, **last, force=False) == "3 trials went with it."
    assert not scratch.exists()
    assert not folder.exists()
    assert another.exists()
    assert tell_search(told, workspace=workspace, **last) == ""
    assert forget_search(told, workspace=workspace, **last, force=False) == ""


@pytest.mark.parametrize("foreground_first", [True, False])
def test_trials_that_the_foreground_had_a_part_in_stay(config, fake, topics, settings, foreground_first):
    for trials, job in enumerate(["", "mine"] if foreground_first else ["mine", ""], start=1):
        found = search(replace(config, trials=trials), topics, settings=settings, job=job)
    said = forget_search({"id": found.id}, workspace=settings.workspace, job="mine", others=[], force=True)
    assert said == "The 2 trials of its search stay: they are not this job's alone."
    assert load_search(settings.workspace, found.id).ended == 2


def test_a_search_begun_afresh_is_its_own(config, fake, topics, settings):
    search(replace(config, trials=2), topics, settings=settings)
    found = search(replace(config, trials=1), topics, settings=settings, fresh=True, job="mine")
    said = forget_search({"id": found.id}, workspace=settings.workspace, job="mine", others=[], force=False)
    assert said == "1 trial went with it."
    with pytest.raises(UnknownError):
        load_search(settings.workspace, found.id)


def test_trials_of_before_runs_were_noted_stay(config, fake, topics, settings):
    found = search(replace(config, trials=1), topics, settings=settings, job="mine")
    folder = search_folder(settings.workspace, found.id)
    told = {"config": {"id": found.id}, "workspace": settings.workspace, "job": "mine", "others": []}
    stays = "The 1 trial of its search stays: it is not this job's alone."
    for content in ("{", None):  # damaged, and absent
        (folder / RUNS).write_text(content) if content else (folder / RUNS).unlink()
        assert forget_search(**told, force=False) == stays
    search(replace(config, trials=2), topics, settings=settings, job="mine")
    assert noted_runs(folder) == ["", "mine"]
    assert "stay" in forget_search(**told, force=False)


def test_trials_that_cannot_be_counted_are_said_so(config, fake, topics, settings):
    found = search(replace(config, trials=1), topics, settings=settings, job="mine")
    (search_folder(settings.workspace, found.id) / STUDY).write_bytes(b"no database")
    told = {"config": {"id": found.id}, "workspace": settings.workspace, "others": []}
    assert tell_search(**told, job="other") == "What was tried in its search stays: it is not this job's alone."
    assert forget_search(**told, job="mine", force=False) == "What it tried went with it."


def test_a_search_that_runs_is_not_forgotten(workspace):
    kept = workspace.folder(search_folder(workspace, "0123456789abcdef"))
    note_run(kept, "mine", fresh=False)
    with FileLock(kept / LOCK), pytest.raises(JobError, match="running already"):
        forget_search({"id": kept.name}, workspace=workspace, job="mine", others=[], force=False)
    assert kept.exists()
