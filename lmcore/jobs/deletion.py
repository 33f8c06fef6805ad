"""Deleting a job: it is claimed, what it left is taken away, and only then does its record go."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lmcore.errors import JobError, StorageError
from lmcore.jobs.job import Job
from lmcore.jobs.leavings import take_away
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace
from lmcore.storage import disk_errors
from lmcore.types import NAME

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes jobs that have ended.

    What takes away what a job left may wait for a cluster, so the queue stays open meanwhile. The job is marked in the queue
    first, and one that is marked is not resumed. A lock that ends with its process says whether the deletion still goes on:
    where it was broken off, the mark stays, and deleting again takes it over.

    Attributes:
        store: the queue.
        known: returns a job, or raises `UnknownError`.
    """

    store: JobStore
    known: Callable[[sqlite3.Connection, str], Job]

    def delete(self, job_id: str, *, force: bool) -> str:
        """Forget a job; returns what became of what it left elsewhere, in a sentence, or nothing.

        Raises:
            UnknownError: there is no such job.
            JobError: it is queued, running or being deleted, or what it left cannot be taken away.
            StorageError: the disk refuses.
        """
        workspace = self.store.workspace
        with self._alone(job_id) as lock:
            job, others = self._claim(job_id)
            try:
                said = take_away(job, workspace, others, force=force)
                for folder in (*_checkpoints(job, workspace), job.folder):
                    with disk_errors(folder):
                        if folder.exists():
                            shutil.rmtree(folder)
                with self.store.writing() as db:
                    self.store.remove(db, job.id)
            except BaseException:  # a page is ended by one that is no Exception
                self._give_back(job.id)
                raise
            lock.unlink(missing_ok=True)
        return said

    @contextmanager
    def _alone(self, job_id: str) -> Iterator[Path]:
        with self.store.reading() as db:
            job = self.known(db, job_id)
        path = self.store.workspace.folder(self.store.workspace.jobs) / f".deleting-{job.id}.lock"
        lock = FileLock(path)
        with disk_errors(path):
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise JobError(f"“{job.title}” is being deleted already: wait until that has ended.") from error
        try:
            yield path
        finally:
            lock.release()

    def _claim(self, job_id: str) -> tuple[Job, list[Job]]:
        """Mark a job as being deleted; returns it and the others of its kind that are not."""
        with self.store.writing() as db:
            job = self.known(db, job_id)
            if not job.state.ended:
                raise JobError(f"“{job.title}” is {job.state}: cancel it before it is deleted.")
            self.store.update(db, job.id, deleting=1)
            return job, others_of(self.store, db, job)

    def _give_back(self, job_id: str) -> None:
        with suppress(StorageError), self.store.writing() as db:  # what went wrong first is what is said
            self.store.update(db, job_id, deleting=0)


def others_of(store: JobStore, db: sqlite3.Connection, job: Job) -> list[Job]:
    """Return the other jobs of a job's kind, but for those that are being deleted."""
    return [other for other in store.newest(db, job.kind, _ALL) if other.id != job.id and not other.deleting]


def _checkpoints(job: Job, workspace: Workspace) -> list[Path]:
    """Return the folders of checkpoints that a job has to itself: its configuration names them."""
    name = job.config.get("checkpoints")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return []
    return [workspace.checkpoints / name, workspace.checkpoints / f"{name}-run"]
