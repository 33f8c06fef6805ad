"""The end of a job in the audit log."""

import json
import logging

from lmcore.audit import AuditLog, Outcome
from lmcore.errors import StorageError
from lmcore.jobs.job import Job, JobState
from lmcore.settings import Workspace

_LOG = logging.getLogger(__name__)
_OUTCOMES: dict[JobState, Outcome] = {
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}
_NAMED = ("version", "data", "evaluation")


def note_end(workspace: Workspace, job: Job, state: JobState, result: str | None = None) -> None:
    """Write down how a job ended, in the name of who submitted it; a log that cannot be written does not stop the queue.

    Args:
        workspace: where the log is.
        job: which job.
        state: how it ended.
        result: what it returned, as JSON.
    """
    returned = json.loads(result) if result else {}
    made = {name: returned[name] for name in _NAMED if isinstance(returned.get(name), str)}
    details = {"kind": job.kind, "title": job.title, **made}
    try:
        AuditLog(workspace).record(job.actor(), "end_job", job.id, _OUTCOMES[state], details)
    except StorageError as error:
        _LOG.warning("The end of the job %s could not be noted: %s", job.id, error)
