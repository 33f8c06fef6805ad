"""What a job leaves elsewhere, beside its folder and its checkpoints, and what takes it away before the job is forgotten."""

from collections.abc import Collection, Mapping, Sequence
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

TOLD = {"lmcore.training.tuning.job:run_search": "lmcore.training.tuning.job:tell_search"}
"""What tells beforehand what that would take away."""


class TakeAway(Protocol):
    """Takes away what a job with a configuration left."""

    def __call__(
        self, config: Mapping[str, Any], *, workspace: Workspace, job: str, others: Collection[str], force: bool
    ) -> str:
        """Take it away, but for what other jobs made too; with ``force`` as far as can be.

        Returns:
            What went or stays, in a sentence, or nothing.

        Raises:
            JobError: it is in use, or cannot be taken away.
            StorageError: the disk refuses.
        """


class Tell(Protocol):
    """Tells what a `TakeAway` would take away."""

    def __call__(self, config: Mapping[str, Any], *, workspace: Workspace, job: str, others: Collection[str]) -> str:
        """Return what would go or stay, in a sentence, or nothing."""


def take_away(job: Job, workspace: Workspace, others: Sequence[Job], *, force: bool) -> str:
    """Take away what a job leaves elsewhere; returns what went or stays, in a sentence, or nothing.

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
        return ""
    function: TakeAway = load_target(LEAVINGS[target])
    return function(dict(job.config), workspace=workspace, job=job.id, others=_alike(target, job, others), force=force)


def tell(job: Job, workspace: Workspace, others: Sequence[Job]) -> str:
    """Return what `take_away` would take away or leave, in a sentence, or nothing."""
    target = present_target(job.target)
    if target not in TOLD:
        return ""
    function: Tell = load_target(TOLD[target])
    return function(dict(job.config), workspace=workspace, job=job.id, others=_alike(target, job, others))


def _alike(target: str, job: Job, others: Sequence[Job]) -> set[str]:
    return {other.id for other in others if other.id != job.id and present_target(other.target) == target}
