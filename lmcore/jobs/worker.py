"""A worker: the process that runs one job, then starts the next one.

Started by the board as ``python -m lmcore.jobs.worker WORKSPACE JOB JOBS_AT_ONCE``.
"""

import faulthandler
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from lmcore.errors import Cancelled
from lmcore.garbage import collect_seldom
from lmcore.jobs.end import note_end
from lmcore.jobs.failure import explain
from lmcore.jobs.former import present_target
from lmcore.jobs.job import Job, JobState, check_target
from lmcore.jobs.report import JobReport, owns
from lmcore.jobs.store import JobStore
from lmcore.jobs.tending import Tending
from lmcore.methods import load_target
from lmcore.settings import Settings, Workspace

NICENESS = 5

_LOG = logging.getLogger(__name__)

Run = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    state: JobState
    message: str = ""
    error: str = ""
    result: str | None = None


def main(arguments: Sequence[str]) -> int:
    """Run a job to its end, record how it ended, and start the next one.

    Args:
        arguments: the workspace folder, the job's identifier, and how many jobs may run side by side.

    Returns:
        0, or 1 where the job was not this process's to run.
    """
    root, job_id, jobs_at_once = arguments
    _prepare()
    workspace = Workspace(Path(root))
    store = JobStore(workspace)
    job = accept(store, job_id)
    if job is None:
        _LOG.warning("The job %s is not this process's to run.", job_id)
        return 1
    _LOG.info("Attempt %d begins.", job.attempt)
    report = JobReport(store, job, stalled_seconds=Settings.from_environment().stalled_seconds)
    acting = replace(workspace, actor=job.actor())
    signal.signal(signal.SIGTERM, lambda *_: report.stop())
    with report:
        outcome = perform(job, acting, report)
    _LOG.info("Attempt %d ends: %s.", job.attempt, outcome.state)
    if recorded := record(store, job, report, outcome):
        note_end(workspace, job, recorded, outcome.result)
    Tending(workspace, int(jobs_at_once), psutil.Process().memory_info().rss).tend()
    return 0


def accept(store: JobStore, job_id: str) -> Job | None:
    """Return the job when the queue names this very process as its worker, else None.

    Whoever starts a worker holds the queue's write lock until its process number is stored, so taking that lock
    waits for it. Where the starter was killed before that, the job is still queued and belongs to another.
    """
    with store.writing() as db:
        job = store.find(db, job_id)
    mine = job and job.state == JobState.RUNNING and job.worker and job.worker.is_own()
    return job if mine else None


def perform(job: Job, workspace: Workspace, report: JobReport) -> Outcome:
    """Call the job's function and say how it ended."""
    try:
        report.check()
        function: Run = load_target(check_target(present_target(job.target)))
        returned = function(dict(job.config), workspace=workspace, report=report, resume=job.attempt > 1)
        return Outcome(JobState.DONE, result=json.dumps(dict(returned)))
    except Cancelled:
        return Outcome(JobState.CANCELLED, message="Cancelled.")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a target raises ends here, in words
        _LOG.exception("The job failed.")
        return Outcome(JobState.FAILED, error=explain(error))


def record(store: JobStore, job: Job, report: JobReport, outcome: Outcome) -> JobState | None:
    """Store how the attempt ended and what was reported last, unless the job has passed to another attempt since.

    Returns:
        The state that was stored, or None where nothing was.
    """
    with store.writing() as db:
        stored = store.find(db, job.id)
        if stored is None or not owns(job, stored):
            return None
        if outcome.state == JobState.CANCELLED and stored.cancel_requested is None:
            outcome = Outcome(JobState.FAILED, error=_stopped_from_outside(job))
        store.update(
            db,
            job.id,
            state=outcome.state,
            ended=time.time(),
            progress=1.0 if outcome.state == JobState.DONE else report.fraction,
            message=outcome.message or report.message,
            error=outcome.error,
            result=outcome.result,
        )
    return outcome.state


def _stopped_from_outside(job: Job) -> str:
    advice = "resume it to go on from its last checkpoint" if job.resumable else "submit it again"
    return f"The worker was told to stop by the system (SIGTERM), as when the machine is shut down; {advice}."


def _prepare() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    faulthandler.enable()
    collect_seldom()
    # The dashboard stays quick beside a job. Set rather than added, since a worker may start the next one.
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
