"""Emptying a workspace."""

import shutil

from lmcore.audit import audited
from lmcore.errors import JobError, StorageError
from lmcore.jobs import JobBoard
from lmcore.serving.server import server_state, stop_server
from lmcore.settings import Workspace

STOP_SECONDS = 20.0


def reset_workspace(workspace: Workspace, board: JobBoard) -> None:
    """Stop the prediction server and every job, then delete all that LMScope stored; other files are left alone.

    The audit log is kept: it says who emptied the workspace.

    Raises:
        AccessError: the workspace's actor may not.
        JobError: a job did not stop in time; nothing was deleted.
        StorageError: something cannot be deleted.
    """
    with audited(workspace, "reset"):
        _stop_all(workspace, board)
        _delete(workspace)


def _stop_all(workspace: Workspace, board: JobBoard) -> None:
    running = [job for job in board.list(limit=1000) if not job.state.ended]
    for job in running:
        board.cancel(job.id)
    for job in running:
        over = board.wait(job.id, STOP_SECONDS).state.ended
        # A worker writes its job's end before its own: what it still writes must not meet the deleting.
        if not over or (job.worker and not job.worker.ended_within(STOP_SECONDS)):
            raise JobError(f"The job {job.title!r} is still stopping: try again in a minute; nothing was deleted.")
    if server_state(workspace).state in {"running", "starting"}:
        stop_server(workspace)


def _delete(workspace: Workspace) -> None:
    folders = (
        workspace.datasets,
        workspace.labels,
        workspace.suites,
        workspace.models,
        workspace.checkpoints,
        workspace.results,
        workspace.stores,
        workspace.jobs,
        workspace.serving,
    )
    try:
        for folder in folders:
            if folder.exists():
                shutil.rmtree(folder)
        for file in workspace.root.glob(f"{workspace.tracking.stem}.*"):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{error.filename} cannot be deleted ({error.strerror}).") from error
