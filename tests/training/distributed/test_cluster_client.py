"""How a run on a Ray cluster is submitted, followed, taken up and stopped; the cluster is one that says what a test wants."""

import pytest

from lmcore.errors import Cancelled, JobError
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.cluster import END_SECONDS, PATIENCE_SECONDS, STOP_SECONDS, run_there, stop_there
from lmcore.training.distributed.ray_jobs import SilentCluster
from lmcore.training.distributed.rundir import FolderReport, RunFolder, make_plan
from tests.training.conftest import Recorder, Stopper

RESULT = {"version": "models:/a/1"}


class Cluster:
    """A Ray cluster on which time passes when it is asked after; an answer may be an error."""

    def __init__(self, folder, *answers):
        self.folder, self.answers = folder, list(answers)
        self.submitted, self.stopped, self.seconds = [], [], 0.0

    def submit(self, job_id, command, variables):
        self.submitted.append((job_id, command, dict(variables)))
        self.folder.see()

    def status(self, job_id):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self, job_id):
        self.stopped.append(self.seconds)
        self.answers = ["STOPPED"]

    def log(self, job_id):
        return "what the cluster printed"

    def clock(self):
        return self.seconds

    def pause(self, seconds):
        self.seconds += 1.0


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "a run")


@pytest.fixture
def go(folder, settings):
    def run(cluster, report=None, resume=False):
        plan = make_plan(TrainConfig("a"), "a@1", settings, checkpoints="a", resume=resume, workers=2)
        report = report or Recorder()
        return run_there(plan, folder, report, jobs=cluster, clock=cluster.clock, pause=cluster.pause)

    return run


def finish(folder):
    def finished():
        folder.finish(RESULT)
        return "SUCCEEDED"

    return finished


def test_a_run_is_submitted_and_followed_to_its_result(folder, go):
    cluster = Cluster(folder, "PENDING", "RUNNING", finish(folder))
    assert go(cluster) == RESULT
    ((job_id, command, variables),) = cluster.submitted
    assert job_id.startswith("lmscope-")
    assert command == f"python -P -m lmcore.training.distributed.cluster '{folder.path}'"
    assert variables["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_run_that_goes_on_there_is_taken_up_rather_than_submitted_again(folder, go):
    lost = Cluster(folder, JobError("the dashboard was killed"))
    with pytest.raises(JobError, match="the dashboard was killed"):
        go(lost)
    again = Cluster(folder, "RUNNING", finish(folder))
    assert go(again, resume=True) == RESULT
    assert again.submitted == []


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", None])
def test_a_run_that_is_over_is_submitted_again(folder, go, status):
    with pytest.raises(JobError):
        go(Cluster(folder, JobError("lost")))
    again = Cluster(folder, status, finish(folder))
    assert go(again, resume=True) == RESULT
    assert len(again.submitted) == 1


def test_a_cluster_may_be_silent_for_a_while(folder, go):
    silent = SilentCluster("does not answer")
    assert go(Cluster(folder, "RUNNING", silent, silent, finish(folder))) == RESULT
    cluster = Cluster(folder, "RUNNING", silent)
    with pytest.raises(JobError, match="has not answered for 10 minutes: resume the job"):
        go(cluster)
    assert cluster.seconds >= PATIENCE_SECONDS


def test_a_cluster_that_was_started_anew_has_lost_the_run(folder, go):
    with pytest.raises(JobError, match="does not know the run any more"):
        go(Cluster(folder, "RUNNING", None))


def test_a_workspace_that_the_cluster_does_not_see_is_named(folder, go):
    cluster = Cluster(folder, "FAILED")
    cluster.submit = lambda *_: None
    with pytest.raises(JobError, match=r"does not see .*a run.* storage that all its machines share"):
        go(cluster)


def test_a_failure_has_its_reason_and_the_log_of_the_cluster(folder, go, capsys):
    def failed():
        folder.fail(1, "failed", "The loss is nan at step 3.")
        return "FAILED"

    with pytest.raises(JobError, match="The loss is nan at step 3"):
        go(Cluster(folder, "RUNNING", failed))
    assert "what the cluster printed" in capsys.readouterr().err


def test_a_run_that_has_not_begun_is_stopped_at_once_and_one_that_has_gets_time(folder, go):
    waiting = Cluster(folder, "PENDING")
    with pytest.raises(Cancelled):
        go(waiting, Stopper(1))
    assert waiting.stopped[0] < STOP_SECONDS

    def begun():
        FolderReport(folder).progress(0.1)
        return "RUNNING"

    working = Cluster(folder, begun)
    with pytest.raises(Cancelled):
        go(working, Stopper(3))
    assert working.stopped[0] >= STOP_SECONDS


def stop(folder, cluster):
    stop_there(folder, lambda: cluster, clock=cluster.clock, pause=cluster.pause)


def test_what_still_runs_there_is_ended(folder, go):
    with pytest.raises(JobError, match="does not know the run"):
        go(Cluster(folder, "RUNNING", None))
    cluster = Cluster(folder, "RUNNING")
    stop(folder, cluster)
    assert cluster.stopped == [0.0]
    cluster = Cluster(folder, "SUCCEEDED")
    stop(folder, cluster)
    assert cluster.stopped == []


def test_what_does_not_end_or_cannot_be_asked_after_is_an_error(folder, go, monkeypatch):
    with pytest.raises(JobError, match="does not know the run"):
        go(Cluster(folder, "RUNNING", None))
    with pytest.raises(SilentCluster):
        stop(folder, Cluster(folder, SilentCluster("It does not answer.")))
    cluster = Cluster(folder, "RUNNING")
    monkeypatch.setattr(cluster, "stop", lambda job_id: None)
    with pytest.raises(JobError, match="has not ended after 15 seconds"):
        stop(folder, cluster)
    assert cluster.seconds >= END_SECONDS


def test_where_nothing_was_submitted_no_cluster_is_asked(folder):
    asked = []
    stop_there(folder, lambda: asked.append("asked"))
    assert asked == []
