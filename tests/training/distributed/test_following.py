import pytest

from lmcore.errors import Cancelled, JobError
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.following import HangingWorkers, follow_run
from lmcore.training.distributed.rundir import FolderReport, RunFolder, make_plan
from tests.training.conftest import Recorder, Stopper


@pytest.fixture
def folder(tmp_path, settings):
    found = RunFolder(tmp_path / "run")
    found.begin(make_plan(TrainConfig("a"), "a@1", settings, checkpoints="a", resume=False, workers=2))
    return found


def steps(*done):
    """Return a function that does one thing each time that it is called, and says whether there is another."""
    left = list(done)

    def running():
        if left:
            left.pop(0)()
        return bool(left)

    return running


def follow(folder, report, running, stop=lambda: None):
    return follow_run(folder, report, running, stop, pause=lambda seconds: None)


def test_what_is_reported_is_passed_on_and_the_result_returned(folder):
    report, inside = Recorder(), FolderReport(folder)
    made = follow(
        folder,
        report,
        steps(
            lambda: inside.metrics(1, {"loss": 2.0}),
            lambda: inside.progress(0.5, "Half"),
            lambda: inside.metrics(2, {"loss": 1.0}),
            lambda: folder.finish({"version": "models:/a/1"}),
        ),
    )
    assert made == {"version": "models:/a/1"}
    assert report.of("loss") == {1: 2.0, 2: 1.0}
    assert report.values == [(1, "loss", 2.0), (2, "loss", 1.0)]
    assert report.fractions[-1] == 0.5


def test_a_request_to_stop_reaches_the_folder_and_then_whoever_can_end_it(folder):
    seen = []
    with pytest.raises(Cancelled, match="can be resumed"):
        follow(
            folder,
            Stopper(2),
            steps(lambda: None, lambda: None, lambda: seen.append(folder.is_stopped()), lambda: None),
            lambda: seen.append("stop"),
        )
    assert seen == ["stop", True, "stop"]


def test_a_run_that_came_to_its_end_although_it_was_to_stop_has_a_result(folder):
    assert follow(folder, Stopper(1), steps(lambda: None, lambda: folder.finish({"a": 1}))) == {"a": 1}


def test_a_run_that_ends_without_a_word_is_told_apart(folder):
    FolderReport(folder).progress(0.4)
    with pytest.raises(JobError, match=r"The workers ended without a word .* at 40% of the work"):
        follow(folder, Recorder(), steps())


def test_a_failure_is_raised_with_its_reason(folder):
    folder.fail(0, "failed", "The loss is nan at step 3.")
    with pytest.raises(JobError, match="The loss is nan at step 3"):
        follow(folder, Recorder(), steps())


def test_workers_that_say_nothing_new_hang_however_often_they_are_asked_after(folder):
    inside, now = FolderReport(folder), [0.0]
    inside.progress(0.5, "Step 5 of 10")
    asked = []

    def wait(seconds):
        now[0] += 10
        if now[0] <= 100:
            inside.metrics(int(now[0]), {"loss": 1.0})

    def follow_to(begun):
        return follow_run(folder, Recorder(), lambda: not asked.append(now[0]), lambda: None, stalled_seconds=60,
                          begun=begun, clock=lambda: now[0], pause=wait)  # fmt: skip

    with pytest.raises(HangingWorkers, match="The workers did nothing for 1 minutes while they said 'Step 5 of 10'"):
        follow_to(lambda: True)
    assert asked[-1] == 170, "what is reported counts, the last record is of 100"
    with pytest.raises(HangingWorkers):
        follow_to(lambda: now[0] > 400)
    assert asked[-1] == 470, "workers that wait for their machines do not hang"
