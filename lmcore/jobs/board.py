"""The job board: what clients do with jobs."""

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcore.audit import audited
from lmcore.errors import InputError, JobError, ResourceError, UnknownError
from lmcore.jobs.deletion import Deletion, others_of
from lmcore.jobs.job import Job, JobState, check_target, is_job_id, new_job_id
from lmcore.jobs.leavings import tell
from lmcore.jobs.metrics import MetricRows, read_metrics
from lmcore.jobs.schedule import GIB
from lmcore.jobs.store import JobStore
from lmcore.jobs.tending import Tending
from lmcore.memory import read_memory
from lmcore.settings import Workspace
from lmcore.storage import disk_errors
from lmcore.types import check_name

if TYPE_CHECKING:
    import pandas as pd

TITLE_LENGTH = 120
POLL_SECONDS = 0.05


class JobBoard:
    """Submits, watches, cancels and resumes jobs.

    There is no daemon: the state is in the workspace, and every call that reads it first does what has become due
    (a worker that died is noticed, one that does not stop is killed, the next job is started). A worker does the
    same at its end. So any number of boards, in any number of processes, can be made and thrown away.

    Args:
        workspace: where the queue and the jobs' folders are.
        jobs_at_once: how many jobs run side by side; the others wait in order.
        grace_seconds: how long a worker that was asked to stop may take, to write a checkpoint, before it is killed.
    """

    def __init__(self, workspace: Workspace, *, jobs_at_once: int = 1, grace_seconds: float = 60.0) -> None:
        self._workspace = workspace
        self._tending = Tending(workspace, jobs_at_once)
        self._grace_seconds = grace_seconds
        self._store = JobStore(workspace)

    def submit(
        self,
        target: str,
        config: Mapping[str, Any],
        *,
        title: str,
        kind: str,
        needs_bytes: int = 0,
        resumable: bool = True,
    ) -> Job:
        """Queue a job, and start it where there is room.

        Args:
            target: ``lmcore.module:function``, called as ``function(config, workspace=, report=, resume=)``, which
                returns a JSON mapping; with ``resume`` it goes on from its last checkpoint, if it has written one.
            config: JSON values for the function.
            title: what pages call the job; shortened to 120 characters.
            kind: what sort of work it is, for filtering.
            needs_bytes: memory that it is expected to take; it is not started before that much is free.
            resumable: whether the function can go on after a failure or cancellation.

        Raises:
            UnsafeError: the target is not a function of LMScope.
            InputError: the configuration is not JSON, or the kind is no name.
            ResourceError: the machine does not have that much memory at all.
            AccessError: the workspace's actor may not start it.
            StorageError: the queue cannot be written.
        """
        text = _as_json(config)
        _check_memory(needs_bytes)
        now = time.time()
        columns = {
            "id": new_job_id(),
            "kind": check_name(kind, "kind of job"),
            "title": _short(title, TITLE_LENGTH) or kind,
            "target": check_target(target),
            "config": text,
            "needs_bytes": needs_bytes,
            "resumable": resumable,
            "state": JobState.QUEUED,
            "created": now,
            "queued": now,
            "submitted_by": self._workspace.actor.name,
        }
        job_id, action = str(columns["id"]), "start_demo" if kind == "demo" else "start_job"
        with audited(self._workspace, action, job_id, kind=kind, title=columns["title"]):
            self._workspace.folder(self._workspace.jobs / job_id)
            with self._store.writing() as db:
                self._store.add(db, columns)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return a job as it stands now.

        Raises:
            UnknownError: there is no such job.
            StorageError: the queue cannot be read.
        """
        self._tending.tend()
        return self._find(job_id)

    def list(self, kind: str | None = None, limit: int = 100) -> list[Job]:
        """Return the newest jobs of a kind, or of every kind, the newest first.

        Raises:
            StorageError: the queue cannot be read.
        """
        self._tending.tend()
        with self._store.reading() as db:
            return self._store.newest(db, kind, limit)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; one that has ended stays as it is.

        A queued job is cancelled at once. A running one is asked to write a checkpoint and stop, and is killed when
        the grace period is over.

        Raises:
            UnknownError: there is no such job.
            AccessError: the workspace's actor may not cancel it.
            StorageError: the queue cannot be written.
        """
        self._tending.tend()
        job = self._find(job_id)
        if job.state.ended:
            return job
        with audited(self._workspace, self.cancelling(job), job.id, **_facts(job)):
            return self._cancel(job.id)

    def cancelling(self, job: Job) -> str:
        """Return which of `lmcore.access.ACTIONS` it is to cancel a job: one's own, or another person's."""
        return "cancel_own_job" if job.submitted_by == self._workspace.actor.name else "cancel_job"

    def _cancel(self, job_id: str) -> Job:
        now = time.time()
        with self._store.writing() as db:
            job = self._known(db, job_id)
            if job.state == JobState.QUEUED:
                self._store.update(
                    db,
                    job.id,
                    state=JobState.CANCELLED,
                    ended=now,
                    cancel_requested=now,
                    message="Cancelled before it began.",
                )
            elif job.state == JobState.RUNNING and job.cancel_requested is None:
                self._store.update(db, job.id, cancel_requested=now, kill_at=now + self._grace_seconds)
        if job.state == JobState.RUNNING and job.worker:
            job.worker.terminate()
        return self.get(job_id)

    def resume(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again, to go on from its last checkpoint.

        Raises:
            UnknownError: there is no such job.
            JobError: it has neither failed nor been cancelled, cannot be resumed, or is being deleted.
            AccessError: the workspace's actor may not resume it.
            StorageError: the queue cannot be written.
        """
        self._tending.tend()
        found = self._find(job_id)
        with (
            audited(self._workspace, "resume_job", found.id, **_facts(found)),
            self._store.writing() as db,
        ):
            job = self._known(db, job_id)
            if job.deleting:
                raise JobError(
                    f"“{job.title}” cannot be resumed: its deletion has begun; where that was broken off, delete it again."
                )
            if not job.can_resume:
                reason = "its kind of work cannot be resumed" if job.state.ended else f"it is {job.state}"
                reason = "it is done" if job.state == JobState.DONE else reason
                raise JobError(f"“{job.title}” cannot be resumed: {reason}; failed and cancelled jobs can.")
            self._store.update(
                db,
                job.id,
                state=JobState.QUEUED,
                attempt=job.attempt + 1,
                queued=time.time(),
                message="",
                error="",
                **dict.fromkeys(("started", "ended", "heartbeat", "pid", "pid_started", "cancel_requested", "kill_at")),
            )
        return self.get(job_id)

    def delete(self, job_id: str, *, force: bool = False) -> str:
        """Forget a job that has ended, with its log, its metrics, and what it kept in its folder, as checkpoints and elsewhere.

        A run of it that may still go on on a cluster is stopped first. From the beginning of the deletion on it is not resumed,
        unless something cannot be taken away: then it is as it was.

        Args:
            job_id: the job.
            force: delete it although a cluster that may still run it does not answer.

        Returns:
            What became of what it kept elsewhere, in a sentence, or nothing.

        Raises:
            UnknownError: there is no such job.
            JobError: it is queued, running or being deleted, or its run on a cluster cannot be stopped.
            AccessError: the workspace's actor may not delete it.
            StorageError: the disk refuses.
        """
        self._tending.tend()
        found = self._find(job_id)
        with audited(self._workspace, "delete_job", found.id, **_facts(found)):
            return Deletion(self._store, self._known).delete(found.id, force=force)

    def leaves(self, job_id: str) -> str:
        """Say what deleting a job would do to what it keeps beside its folder, as a search's trials, in a sentence, or nothing.

        Raises:
            UnknownError: there is no such job.
            StorageError: the queue cannot be read.
        """
        with self._store.reading() as db:
            job = self._known(db, job_id)
            others = others_of(self._store, db, job)
        return tell(job, self._workspace, others)

    def log(self, job_id: str, tail_bytes: int = 65536) -> str:
        """Return the end of what the worker printed, over all attempts, in whole lines.

        Raises:
            UnknownError: there is no such job.
        """
        path = self._find(job_id).log_file
        if not path.exists():
            return ""
        with disk_errors(path), path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - tail_bytes))
            tail = file.read()
        if size > tail_bytes:
            tail = tail.partition(b"\n")[2] or tail
        return tail.decode("utf-8", errors="replace")

    def metrics(self, job_id: str) -> MetricRows:
        """Return the recorded metrics.

        Returns:
            One dict for each value: ``step``, ``time`` (Unix seconds), ``name`` and ``value``. What a resumed attempt
            records again takes the place of what was recorded before it.

        Raises:
            UnknownError: there is no such job.
        """
        return read_metrics(self._find(job_id).metrics_file)

    def metrics_frame(self, job_id: str) -> "pd.DataFrame":
        """Return `metrics` as a frame with the columns step, time, name and value."""
        import pandas as pd

        return pd.DataFrame(self.metrics(job_id), columns=["step", "time", "name", "value"])

    def wait(self, job_id: str, timeout: float) -> Job:
        """Return a job once it has ended, or as it is when the time is over.

        Args:
            job_id: the job.
            timeout: seconds to wait at most.

        Raises:
            UnknownError: there is no such job.
        """
        deadline = time.monotonic() + timeout
        while True:
            job = self.get(job_id)
            if job.state.ended or time.monotonic() >= deadline:
                return job
            time.sleep(POLL_SECONDS)

    def _find(self, job_id: str) -> Job:
        with self._store.reading() as db:
            return self._known(db, job_id)

    def _known(self, db: sqlite3.Connection, job_id: str) -> Job:
        job = self._store.find(db, job_id) if is_job_id(job_id) else None
        if job is None:
            newest = [known.id for known in self._store.newest(db, None, 5)]
            raise UnknownError("job", job_id[:40], newest, "These are the newest." if newest else "")
        return job


def _facts(job: Job) -> dict[str, str]:
    return {"kind": job.kind, "title": job.title, "submitted_by": job.submitted_by}


def _as_json(config: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(config))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The job's configuration is not made of JSON values ({error}).") from error


def _check_memory(needs_bytes: int) -> None:
    total = read_memory().total
    if needs_bytes > total:
        raise ResourceError(
            f"The job needs about {needs_bytes / GIB:.1f} GiB of memory and this machine has {total / GIB:.1f} GiB: "
            "take a smaller model, batch or maximum length."
        )


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
