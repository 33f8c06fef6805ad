"""What a job leaves elsewhere, beside its folder and its checkpoints, and what takes it away before the job is forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lmcore.jobs.former import present_target
from lmcore.jobs.job import Job
from lmcore.methods import load_target
from lmcore.settings import Workspace

LEAVINGS = {
    "lmcore.training.job:run": "lmcore.training.job:stop_elsewhere",
    "lmcore.training.tuning.job:run_search": "lmcore.training.tuning.job:forget_search",
}
"""What takes away what a target leaves."""


class TakeAway(Protocol):
    """Takes away what a job with a configuration left."""

    def __call__(
        self, config: Mapping[str, Any], *, workspace: Workspace, others: Sequence[Mapping[str, Any]], force: bool
    ) -> None:
        """Take it away, but for what other jobs have with their configurations; with ``force`` as far as can be.

        Raises:
            JobError: it is in use, or cannot be taken away.
            StorageError: the disk refuses.
        """


def take_away(job: Job, workspace: Workspace, others: Sequence[Job], *, force: bool) -> None:
    """Take away what a job leaves elsewhere.

    Args:
        job: which job.
        workspace: where it was run.
        others: further jobs, which may share what it leaves.
        force: go on where something that is out of reach stays as it is.

    Raises:
        JobError: it is in use, or cannot be taken away.
        StorageError: the disk refuses.
    """
    target = present_target(job.target)
    if target not in LEAVINGS:
        return
    alike = [dict(other.config) for other in others if other.id != job.id and present_target(other.target) == target]
    function: TakeAway = load_target(LEAVINGS[target])
    function(dict(job.config), workspace=workspace, others=alike, force=force)
