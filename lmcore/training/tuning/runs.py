"""By what a search was run: its id is one for all that search the same, so its trials need not be a single job's."""

import json
from collections.abc import Collection
from pathlib import Path

from lmcore.errors import LmError
from lmcore.settings import Workspace
from lmcore.storage import disk_errors, write_json
from lmcore.training.tuning.result import FACTS, STUDY, load_search, search_folder

RUNS = "runs.json"
FOREGROUND = ""
"""Stands for whatever is no job: the command line and Python."""


def note_run(folder: Path, job: str, *, fresh: bool) -> None:
    """Note that a job, or `FOREGROUND`, runs a search; with ``fresh`` the trials of the runs before are none any more.

    Raises:
        StorageError: the disk refuses.
    """
    before = [] if fresh else noted_runs(folder)
    if fresh or job not in before:
        write_json(folder / RUNS, [*before, job])


def noted_runs(folder: Path) -> list[str]:
    """Return what ran a search, in order; trials of before this was noted may be anybody's, which counts as `FOREGROUND`.

    Raises:
        StorageError: the disk refuses.
    """
    path = folder / RUNS
    with disk_errors(path):
        if not path.exists():
            return [FOREGROUND] if (folder / STUDY).exists() else []
        try:
            return [str(name) for name in json.loads(path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError):
            return [FOREGROUND]


def made_alone(workspace: Workspace, identifier: str, job: str, others: Collection[str]) -> bool:
    """Whether a job made a search's trials, and neither another job that there still is nor the foreground had a part in them.

    Raises:
        StorageError: the disk refuses.
    """
    runs = noted_runs(search_folder(workspace, identifier))
    return job in runs and FOREGROUND not in runs and not set(runs) & set(others)


def counted_trials(workspace: Workspace, identifier: str) -> int | None:
    """Return how many trials of a search began, or None where they cannot be read."""
    if not (search_folder(workspace, identifier) / FACTS).exists():
        return 0
    try:
        return len(load_search(workspace, identifier).trials)
    except LmError:  # damaged, or of a method or a setting that there is no more
        return None
