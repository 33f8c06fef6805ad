"""How a worker tells where it is, and hears that it should stop."""

import faulthandler
import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType

from lmcore.errors import Cancelled, StorageError
from lmcore.jobs.end import note_end
from lmcore.jobs.job import Job, JobState
from lmcore.jobs.metrics import append_metrics
from lmcore.jobs.store import JobStore

HEARTBEAT_SECONDS = 2.0
WRITE_SECONDS = 0.25
MESSAGE_LENGTH = 500
STALLED_SECONDS = 3600

_LOG = logging.getLogger(__name__)


class JobReport:
    """The `Report` of a running job, and its heartbeat.

    A thread writes what was said last to the queue, at most four times a second and at least every two seconds, so
    that the work never waits for the disk and a long step does not look dead. It is a context manager: the thread
    lives as long as the block. Work that says nothing for an hour hangs: its job fails, and its processes are ended.

    Attributes:
        job_id: the job's identifier.
        folder: the job's own folder, where a target may keep checkpoints.
        fraction: the share that was reported last, 0 to 1.
        message: what was said last.
    """

    def __init__(self, store: JobStore, job: Job, *, stalled_seconds: float = STALLED_SECONDS) -> None:
        self._store = store
        self._job = job
        self.job_id = job.id
        self.folder = job.folder
        self.fraction = job.progress
        self.message = job.message
        self._stalled_seconds = stalled_seconds
        self._heard = time.monotonic()
        self._stopping = job.cancel_requested is not None
        self._changed = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_until_over, name="heartbeat", daemon=True)

    def __enter__(self) -> "JobReport":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._changed.set()
        self._thread.join()

    def progress(self, fraction: float, message: str = "") -> None:
        """Say the share that is done, 0 to 1, and what is being done."""
        self._heard = time.monotonic()
        self.fraction = float(min(1.0, max(0.0, fraction)))
        self.message = message[:MESSAGE_LENGTH]
        self._changed.set()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record measured values at a step.

        Raises:
            StorageError: the disk is full or refuses.
        """
        self._heard = time.monotonic()
        append_metrics(self._job.metrics_file, step, values)

    def check(self) -> None:
        """Raise `Cancelled` when the user asked to stop."""
        self._heard = time.monotonic()
        if self._stopping:
            raise Cancelled("The job was asked to stop.")

    def stop(self) -> None:
        """Make the next `check` raise; safe in a signal handler, since it takes no lock."""
        self._stopping = True

    def _write_until_over(self) -> None:
        while not self._over.is_set():
            self._changed.clear()
            try:
                self._write()
            except StorageError as error:  # the work goes on: the next beat may get through
                _LOG.warning("The progress could not be written: %s", error)
            self._over.wait(WRITE_SECONDS)
            self._changed.wait(HEARTBEAT_SECONDS - WRITE_SECONDS)

    def _write(self) -> None:
        with self._store.writing() as db:
            job = self._store.find(db, self.job_id)
            if job is None or not owns(self._job, job):
                self.stop()
                return
            now = time.time()
            stalled = time.monotonic() - self._heard > self._stalled_seconds
            if stalled:
                self._store.update(db, job.id, state=JobState.FAILED, ended=now, error=self._gave_up())
            self._store.update(db, job.id, progress=self.fraction, message=self.message, heartbeat=now)
        if job.cancel_requested is not None:
            self.stop()
        late = job.kill_at is not None and now >= job.kill_at
        if stalled:
            note_end(self._store.workspace, job, JobState.FAILED)
            faulthandler.dump_traceback()  # into the log: where it hangs
        if (late or stalled) and job.worker is not None:
            job.worker.kill_group()

    def _gave_up(self) -> str:
        advice = "resume it to go on from its last checkpoint" if self._job.resumable else "submit it again"
        doing = f" while it said {self.message!r}" if self.message else ""
        return f"The job did nothing for {self._stalled_seconds / 60:.0f} minutes{doing}, and was ended; {advice}."


def owns(mine: Job, stored: Job) -> bool:
    """Whether the attempt that a worker began is still the one that the queue holds."""
    return stored.state == JobState.RUNNING and stored.attempt == mine.attempt and stored.worker == mine.worker
