import pytest

from lmcore.errors import Cancelled, InputError, JobError
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.rundir import FolderReport, RunFolder, make_plan


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def plan(settings):
    return make_plan(TrainConfig("a", method="full"), "a@1", settings, checkpoints="a", resume=False, workers=2)


def test_a_plan_comes_back_and_an_earlier_attempt_is_forgotten(folder, plan):
    folder.begin(plan)
    folder.stop()
    folder.see()
    folder.fail(1, "failed", "Why.")
    assert folder.is_stopped()
    assert folder.is_seen()
    folder.begin(plan)
    assert folder.plan() == plan
    assert not folder.is_stopped()
    assert not folder.is_seen()
    assert folder.failure() is None


def test_a_machine_that_does_not_see_the_folder_says_what_is_needed(folder):
    with pytest.raises(InputError, match=r"storage that all machines of the run share under the same path"):
        folder.plan()


def test_the_plan_does_not_hold_the_address_of_the_tracking_server(settings, folder):
    from dataclasses import replace

    told = replace(settings, tracking_uri="http://user:password@tracking")
    folder.begin(make_plan(TrainConfig("a"), "a@1", told, checkpoints="a", resume=False, workers=1))
    assert "password" not in (folder.path / "plan.json").read_text()


def test_metrics_are_read_once_and_whole(folder, plan):
    folder.begin(plan)
    assert folder.metrics(0) == ([], 0)
    report = FolderReport(folder)
    report.metrics(1, {"loss": 2.0})
    first, place = folder.metrics(0)
    assert first == [(1, {"loss": 2.0})]
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "val')
    assert folder.metrics(place) == ([], place)
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('ues": {"loss": 1.0}}\n')
    assert folder.metrics(place)[0] == [(2, {"loss": 1.0})]


def test_progress_comes_back(folder, plan):
    folder.begin(plan)
    assert folder.progress() is None
    FolderReport(folder).progress(0.25, "Step 1")
    assert folder.progress() == (0.25, "Step 1")


def test_processes_stop_when_asked_or_left_alone(folder, plan):
    folder.begin(plan)
    FolderReport(folder).check()
    with pytest.raises(Cancelled):
        FolderReport(folder, lambda: True).check()
    folder.stop()
    with pytest.raises(Cancelled):
        FolderReport(folder).check()


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ([("lost", "Gone."), ("failed", "The disk is full.")], JobError, "The disk is full."),
        ([("cancelled", "Stopped."), ("lost", "Gone.")], Cancelled, "Stopped."),
        ([("failed", "First."), ("failed", "Second.")], JobError, "First."),
    ],
)
def test_the_reason_is_that_of_the_process_that_failed_first(folder, plan, said, kind, why):
    folder.begin(plan)
    for rank, (what, sentence) in enumerate(said):
        folder.fail(rank, what, sentence)
    found = folder.failure()
    assert type(found) is kind
    assert str(found) == why
