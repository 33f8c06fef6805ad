"""A workspace for jobs whose workers are gone when a test ends."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from lmcore.errors import StorageError
from lmcore.jobs import Job, JobBoard, JobState
from lmcore.jobs.process import ProcessId
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    place = Workspace(tmp_path / "home")
    yield place
    with suppress(StorageError):  # a test may have damaged the queue
        _end_workers(place)


def _end_workers(place: Workspace) -> None:
    store = JobStore(place)
    with store.writing() as db:
        jobs = store.active(db)
        db.execute("DELETE FROM jobs WHERE state = 'queued'")
    own = psutil.Process().pid
    for job in jobs:
        if job.worker and job.worker.pid != own:
            job.worker.kill_group()


@pytest.fixture
def board(workspace: Workspace) -> JobBoard:
    return JobBoard(workspace)


@pytest.fixture
def store(workspace: Workspace) -> JobStore:
    return JobStore(workspace)


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """Return a builder of job records that are in no queue."""

    def make(**changes: Any) -> Job:
        values: dict[str, Any] = {
            "id": "20260101-000000-abcdef",
            "kind": "check",
            "title": "A job",
            "target": "lmcore.jobs.selftest:count",
            "config": {},
            "state": JobState.QUEUED,
            "progress": 0.0,
            "message": "",
            "attempt": 1,
            "created": 1.0,
            "started": None,
            "ended": None,
            "heartbeat": None,
            "silent_seconds": 0.0,
            "worker": None,
            "cancel_requested": None,
            "kill_at": None,
            "error": "",
            "result": None,
            "folder": tmp_path,
            "needs_bytes": 0,
            "resumable": True,
        }
        return Job(**(values | changes))

    return make


@pytest.fixture
def own_process() -> ProcessId:
    """The test's own process, which is alive."""
    process = psutil.Process()
    return ProcessId(process.pid, process.create_time())


@pytest.fixture
def add_running(store: JobStore, own_process: ProcessId) -> Callable[..., Job]:
    """Return a function that puts a job into the queue as if the test's own process were its worker."""

    def add(**changes: Any) -> Job:
        columns: dict[str, Any] = {
            "id": "20260101-000000-abcdef",
            "kind": "check",
            "title": "A job",
            "target": "lmcore.jobs.selftest:count",
            "config": "{}",
            "needs_bytes": 0,
            "resumable": 1,
            "state": "running",
            "created": 1.0,
            "queued": 1.0,
            "started": 2.0,
            "heartbeat": 2.0,
            "pid": own_process.pid,
            "pid_started": own_process.started,
        } | changes
        with store.writing() as db:
            store.add(db, columns)
            job = store.find(db, columns["id"])
        assert job is not None
        job.folder.mkdir(parents=True)
        return job

    return add
