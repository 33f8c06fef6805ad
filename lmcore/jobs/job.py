"""What a job is: its record, its states and its identifier."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lmcore.access import Actor, Role, os_user
from lmcore.errors import UnsafeError
from lmcore.jobs.process import ProcessId

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_TARGET = re.compile(r"lmcore(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*", re.ASCII)


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless someone resumes it."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stood when it was read; all times are Unix seconds.

    Attributes:
        id: its identifier, which sorts by the time of submission and is safe in a link.
        kind: what sort of work it is, such as ``training``.
        title: what a page calls it.
        target: ``lmcore.module:function`` that does it.
        config: what the function is given.
        state: where it stands.
        progress: the share that is done, 0 to 1; kept when a job fails or is cancelled.
        message: what is being done, or what a queued job waits for.
        attempt: 1 at first, and one more with each resumption.
        created: when it was submitted.
        started: when the present attempt began, or None while it is queued.
        ended: when it ended, or None.
        heartbeat: when the worker last said that it is there.
        silent_seconds: how long a running worker has not been heard, or 0 while it answers; it may be busy in one
            long step, and is not counted as failed as long as its process lives.
        worker: the process that runs it, or None where no attempt began.
        cancel_requested: when someone asked to stop it, or None.
        kill_at: when the worker is killed if it has not stopped by then, or None.
        error: one sentence that says why it failed, or empty.
        result: what the function returned, or None while it is not done.
        folder: the job's own folder, with its log and metrics.
        needs_bytes: memory that it is expected to take.
        resumable: whether it can be resumed after a failure or cancellation.
        submitted_by: the name of who submitted it, or empty for a job of before names were kept.
        deleting: whether its deletion has begun; where that was broken off, deleting it again takes it over.
    """

    id: str
    kind: str
    title: str
    target: str
    config: Mapping[str, Any]
    state: JobState
    progress: float
    message: str
    attempt: int
    created: float
    started: float | None
    ended: float | None
    heartbeat: float | None
    silent_seconds: float
    worker: ProcessId | None
    cancel_requested: float | None
    kill_at: float | None
    error: str
    result: Mapping[str, Any] | None
    folder: Path
    needs_bytes: int
    resumable: bool
    submitted_by: str = ""
    deleting: bool = False

    @property
    def pid(self) -> int | None:
        """Process number of the worker."""
        return self.worker.pid if self.worker else None

    def actor(self) -> Actor:
        """Return who its worker acts for; what the person may do was checked when they submitted it."""
        return Actor(self.submitted_by, "job", Role.OPERATE) if self.submitted_by else os_user("job")

    @property
    def can_resume(self) -> bool:
        """Whether `JobBoard.resume` would queue it again."""
        return self.resumable and not self.deleting and self.state in {JobState.FAILED, JobState.CANCELLED}

    @property
    def log_file(self) -> Path:
        """What the worker printed, over all attempts."""
        return self.folder / "log.txt"

    @property
    def metrics_file(self) -> Path:
        """The recorded metrics: one JSON record a line, with a step, a time and values."""
        return self.folder / "metrics.jsonl"


def new_job_id() -> str:
    """Return an identifier that sorts by time (UTC) and that two clients never share."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def is_job_id(text: str) -> bool:
    """Whether a text, perhaps from a link, has the form of an identifier."""
    return _ID.fullmatch(text) is not None


def check_target(target: str) -> str:
    """Return a target that names a function of LMScope.

    Raises:
        UnsafeError: it names something outside the package ``lmcore``.
    """
    if not _TARGET.fullmatch(target):
        raise UnsafeError(
            f"The job target {target[:80]!r} is refused: only functions of LMScope run as jobs, written as "
            "lmcore.module:function."
        )
    return target
