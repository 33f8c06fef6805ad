import time

import pytest

from lmcore.audit import AuditLog
from lmcore.data.store import DatasetStore
from lmcore.errors import JobError
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.selftest import TARGET
from lmcore.models.registry import ModelRegistry
from lmcore.reset import reset_workspace
from lmcore.serving.server import ServerState, server_state, write_state


@pytest.fixture
def board(workspace):
    board = JobBoard(workspace, grace_seconds=0.1)
    yield board
    for job in board.list():
        board.cancel(job.id)
        board.wait(job.id, 30)


def test_all_that_was_stored_goes_and_nothing_else(workspace, topics, tiny_folder, board):
    DatasetStore(workspace).save(topics)
    folder = workspace.folder(workspace.models / "topics") / "first"
    folder.mkdir()
    registry = ModelRegistry(workspace)
    registry.register("topics", folder, task="text-classification")
    for place in (workspace.results, workspace.checkpoints, workspace.stores):
        workspace.folder(place)
    write_state(workspace, ServerState("stopped", message="The prediction server is stopped."))
    (workspace.root / "notes.txt").write_text("mine")
    reset_workspace(workspace, board)
    assert {path.name for path in workspace.root.iterdir()} == {"audit", "notes.txt"}
    newest = next(AuditLog(workspace).entries())
    assert (newest.action, newest.outcome) == ("reset", "done"), "the log says who emptied the workspace"
    assert DatasetStore(workspace).list() == []
    assert ModelRegistry(workspace).list() == []
    assert JobBoard(workspace).list() == []
    assert server_state(workspace).state == "stopped"


def test_an_empty_workspace_stays_empty(workspace, board):
    reset_workspace(workspace, board)
    assert [path.name for path in workspace.root.iterdir()] == ["audit"]


def test_running_and_queued_jobs_are_stopped_first(workspace, board):
    jobs = [board.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Count", kind="check") for _ in range(2)]
    worker = board.get(jobs[0].id).worker
    reset_workspace(workspace, board)
    assert not worker.alive()
    assert not workspace.jobs.exists()


def test_nothing_is_deleted_while_a_job_is_still_stopping(workspace, topics, monkeypatch):
    monkeypatch.setattr("lmcore.reset.STOP_SECONDS", 0.05)
    slow = JobBoard(workspace, grace_seconds=60)
    job = slow.submit(TARGET, {"to": 2, "pause": 60}, title="Think long", kind="check")
    ref = DatasetStore(workspace).save(topics).ref
    deadline = time.monotonic() + 30
    while "Attempt 1 begins" not in slow.log(job.id):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(JobError, match="'Think long' is still stopping: try again in a minute; nothing was deleted"):
        reset_workspace(workspace, slow)
    assert DatasetStore(workspace).list()[0].ref == ref
    running = slow.get(job.id)
    if running.worker:
        running.worker.kill_group()
    assert slow.wait(job.id, 30).state is JobState.CANCELLED
