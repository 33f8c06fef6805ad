"""Deciding what has to happen to the queue: pure rules over the active jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmcore.jobs.job import Job, JobState

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to be done to a job.

    Attributes:
        action: ``lost`` (its worker has ended without a word), ``kill`` (its worker did not stop in time),
            ``start``, or ``wait`` (say what it waits for).
        job: the job.
        message: what a waiting job waits for.
    """

    action: Literal["lost", "kill", "start", "wait"]
    job: Job
    message: str = ""


def next_steps(active: Sequence[Job], jobs_at_once: int, free_bytes: int, now: float) -> list[Step]:
    """Decide what has to happen to the running and queued jobs.

    The queue is strictly first in, first out: a job that has to wait for memory is not overtaken, so that small
    jobs never starve a large one.

    Args:
        active: the running and queued jobs in the order of the queue.
        jobs_at_once: how many may run side by side.
        free_bytes: memory that is available now.
        now: Unix seconds.

    Returns:
        The steps in order; empty where everything is as it should be.
    """
    steps, running = _look_after(active, now)
    free = free_bytes - sum(_promised(job) for job in running)
    ahead: Job | None = None
    for job in active:
        if job.state != JobState.QUEUED:
            continue
        reason = f"Waits for “{ahead.title}”." if ahead else _obstacle(job, running, jobs_at_once, free)
        if not reason:
            steps.append(Step("start", job))
            running.append(job)
            free -= job.needs_bytes
            continue
        if reason != job.message:
            steps.append(Step("wait", job, reason))
        ahead = job
    return steps


def _look_after(active: Sequence[Job], now: float) -> tuple[list[Step], list[Job]]:
    steps, running = [], []
    for job in active:
        if job.state != JobState.RUNNING:
            continue
        if job.worker is None or not job.worker.alive():
            steps.append(Step("lost", job))
            continue
        if job.kill_at is not None and now >= job.kill_at:
            steps.append(Step("kill", job))
        running.append(job)
    return steps, running


def _promised(job: Job) -> int:
    """Return the memory that a running job is expected to take and has not taken yet."""
    held = job.worker.resident_bytes() if job.worker else 0
    return max(0, job.needs_bytes - held)


def _obstacle(job: Job, running: Sequence[Job], jobs_at_once: int, free: int) -> str:
    if len(running) >= jobs_at_once:
        return f"Waits for “{running[0].title}”."
    if job.needs_bytes > max(free, 0):
        return (
            f"Waits for memory: it needs about {job.needs_bytes / GIB:.1f} GiB and "
            f"{max(free, 0) / GIB:.1f} GiB are free."
        )
    return ""
