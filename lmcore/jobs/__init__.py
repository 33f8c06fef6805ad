"""Jobs: long work in detached worker processes over a queue in SQLite, without a daemon."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.jobs.board import JobBoard
    from lmcore.jobs.job import Job, JobState

_EXPORTS = {
    "Job": "lmcore.jobs.job",
    "JobBoard": "lmcore.jobs.board",
    "JobState": "lmcore.jobs.job",
}

__all__ = ["Job", "JobBoard", "JobState"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
