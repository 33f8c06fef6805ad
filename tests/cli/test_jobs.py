"""``lmcore jobs``."""

import pytest

from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.leavings import LEAVINGS
from lmcore.jobs.selftest import TARGET
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace


@pytest.fixture
def board(tmp_path):
    return JobBoard(Workspace(tmp_path / "home"))


def submit(board, **config):
    return board.submit(TARGET, {"to": 1, "pause": 0, **config}, title="Counting", kind="check")


def test_the_check_runs_a_job(ask, run):
    found = ask("jobs", "check")
    assert (found["state"], found["result"], found["error"]) == ("done", {"first": 1, "last": 3}, "")
    assert run("jobs", "check").stdout.startswith("Jobs work on this machine. It took ")


def test_listing(ask, run, board):
    assert run("jobs", "list").stdout == "There are no jobs yet.\n"
    job = board.wait(submit(board).id, 30)
    assert [item["id"] for item in ask("jobs", "list", "--kind", "check", "--limit", "5")] == [job.id]
    assert ask("jobs", "list", "--kind", "nosuch") == []
    assert "Counting" in run("jobs", "list").stdout


def test_showing_and_the_log(ask, run, board):
    job = board.wait(submit(board).id, 30)
    shown = run("jobs", "show", job.id).stdout
    assert shown.startswith(f"“Counting” ({job.id}) is done, attempt 1 since ")
    assert "last" in shown
    assert "Attempt 1 ends: done." in ask("jobs", "log", job.id)["log"]
    assert "Attempt 1 ends: done." in run("jobs", "log", job.id).stdout


def test_cancelling_and_resuming(ask, run, board):
    job = submit(board, to=1000, pause=0.05)
    assert ask("jobs", "cancel", job.id)["id"] == job.id
    assert board.wait(job.id, 30).state == JobState.CANCELLED
    assert f"lmcore jobs resume {job.id}" in run("jobs", "show", job.id).stdout
    assert ask("jobs", "resume", job.id)["attempt"] == 2
    run("jobs", "cancel", job.id)
    assert board.wait(job.id, 30).state == JobState.CANCELLED


def test_a_failed_job_says_why(run, board):
    job = board.wait(submit(board, to=0).id, 30)
    assert "The option to is 0" in run("jobs", "show", job.id).stdout


def test_a_job_that_has_ended_is_deleted(run, refused, board):
    job = board.wait(submit(board, to=0).id, 30)
    assert "are deleted" in run("jobs", "delete", job.id).stdout
    assert board.list() == []
    assert refused("jobs", "delete", job.id).startswith("There is no job")


def test_what_became_of_what_a_job_left_is_said(run, ask, board, monkeypatch):
    monkeypatch.setitem(LEAVINGS, TARGET, "lmcore.jobs.selftest:take")
    monkeypatch.setattr("lmcore.jobs.selftest.take", lambda *_, **__: "12 trials went with it.", raising=False)
    first, second = (board.wait(submit(board, to=0).id, 30) for _ in range(2))
    assert run("jobs", "delete", first.id).stdout.endswith("are deleted.\n12 trials went with it.\n")
    assert ask("jobs", "delete", second.id)["leavings"] == "12 trials went with it."


def test_a_deletion_that_was_broken_off_is_told(run, refused, board):
    job = board.wait(submit(board, to=0).id, 30)
    store = JobStore(Workspace(job.folder.parent.parent))
    with store.writing() as db:
        store.update(db, job.id, deleting=1)
    shown = run("jobs", "show", job.id).stdout
    assert f"lmcore jobs delete {job.id}" in shown
    assert "resume" not in shown
    assert "its deletion has begun" in refused("jobs", "resume", job.id)
    run("jobs", "delete", job.id)
    assert board.list() == []


@pytest.mark.parametrize("command", ["show", "log", "cancel", "resume", "delete"])
def test_a_job_that_is_not_there(refused, command):
    assert refused("jobs", command, "nosuch") == "There is no job 'nosuch'; known: none yet."


def test_what_is_done_cannot_be_resumed(refused, board):
    job = board.wait(submit(board).id, 30)
    assert refused("jobs", "resume", job.id).startswith("“Counting” cannot be resumed: it is done")
