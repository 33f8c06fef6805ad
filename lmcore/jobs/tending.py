"""Looking after the queue: what every client does before it reads, and every worker at its end."""

import sqlite3
import time
from dataclasses import dataclass

from lmcore.jobs.end import note_end
from lmcore.jobs.job import Job, JobState
from lmcore.jobs.process import start_worker
from lmcore.jobs.schedule import Step, next_steps
from lmcore.jobs.store import JobStore
from lmcore.memory import read_memory
from lmcore.settings import Workspace


@dataclass(frozen=True, slots=True)
class Tending:
    """Notices dead workers, kills those that do not stop, and starts the next jobs.

    Attributes:
        workspace: where the queue and the jobs' folders are.
        jobs_at_once: how many jobs run side by side.
        freed_bytes: memory that the caller is about to give back, as a worker is at its end.
    """

    workspace: Workspace
    jobs_at_once: int
    freed_bytes: int = 0

    def tend(self) -> None:
        """Do what has become due; without anything due, nothing is written.

        Raises:
            StorageError: the queue cannot be read or written.
        """
        store = JobStore(self.workspace)
        with store.reading() as db:
            due = self._due(store.active(db))
        if not due:
            return
        with store.writing() as db:  # decided again, now that no other client decides at the same time
            for step in self._due(store.active(db)):
                self._take(store, db, step)

    def _due(self, active: list[Job]) -> list[Step]:
        free = read_memory().available + self.freed_bytes
        return next_steps(active, self.jobs_at_once, free, time.time()) if active else []

    def _take(self, store: JobStore, db: sqlite3.Connection, step: Step) -> None:
        job = step.job
        if step.action == "start":
            self._start(store, db, job)
        elif step.action == "wait":
            store.update(db, job.id, message=step.message)
        elif step.action == "lost":
            note_end(self.workspace, job, _bury(store, db, job))
        elif job.worker:
            job.worker.kill_group()

    def _start(self, store: JobStore, db: sqlite3.Connection, job: Job) -> None:
        """Start a worker within the transaction: until that ends, the worker waits and no other client decides."""
        now = time.time()
        try:
            worker = start_worker(self.workspace.root, job.id, self.jobs_at_once, job.log_file)
        except OSError as error:
            sentence = (
                f"The worker process could not be started ({error.strerror}): free memory or disk, then resume it."
            )
            store.update(db, job.id, state=JobState.FAILED, ended=now, error=sentence)
            return
        store.update(
            db,
            job.id,
            state=JobState.RUNNING,
            message="Starts.",
            started=now,
            heartbeat=now,
            pid=worker.pid,
            pid_started=worker.started,
        )


def _bury(store: JobStore, db: sqlite3.Connection, job: Job) -> JobState:
    """Record that a job's worker is gone; returns how the job ended."""
    now = time.time()
    if job.cancel_requested is None:
        advice = "resume it to go on from its last checkpoint" if job.resumable else "submit it again with less to do"
        sentence = (
            "The worker process ended without a word (killed, or out of memory) at "
            f"{job.progress:.0%} of the work; {advice}."
        )
        store.update(db, job.id, state=JobState.FAILED, ended=now, error=sentence)
        return JobState.FAILED
    late = job.kill_at is not None and now >= job.kill_at
    message = "Cancelled: its worker did not stop in time and was killed." if late else "Cancelled."
    store.update(db, job.id, state=JobState.CANCELLED, ended=now, message=message)
    return JobState.CANCELLED
