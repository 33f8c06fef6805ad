"""Searching as a job: what the worker process runs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.settings import Settings, Workspace
from lmcore.training.estimate import Estimate, estimate_training
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.run import delete_search, search, search_id, with_number
from lmcore.training.tuning.runs import FOREGROUND, counted_trials, made_alone
from lmcore.training.tuning.space import largest
from lmcore.types import Report, check_name, count_of

SEARCH = "lmcore.training.tuning.job:run_search"


def search_config(config: SearchConfig, data: str, *, workspace: Workspace) -> dict[str, Any]:
    """Return what `run_search` is to be given to search on a stored data set."""
    config = with_number(config.checked(), replace(Settings.from_environment(), workspace=workspace))
    return {
        "search": config.to_dict(),
        "data": data,
        "id": search_id(config, DatasetStore(workspace).load(data)),
    }


def run_search(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Search on a stored data set; what there is of the same search is gone on with, resumed or not.

    Args:
        config: what `search_config` returned.
        workspace: where everything is stored.
        report: progress, the best value by trial, and cancellation.
        resume: makes no difference.

    Returns:
        ``search`` (its id), ``verdict``, ``best`` (the configuration, or None), ``value`` and ``version``.
    """
    data = DatasetStore(workspace).load(config["data"])
    settings = replace(Settings.from_environment(), workspace=workspace)
    job = str(getattr(report, "job_id", FOREGROUND))  # a function of Python has one only where it runs as a job
    found = search(SearchConfig.from_dict(config["search"]), data, settings=settings, report=report, job=job)
    row = found.best_row
    return {
        "search": found.id,
        "verdict": found.verdict,
        "best": None if found.best is None else found.best.to_dict(),
        "value": None if row is None else float(row["value"]),
        "version": found.registered.get("version", ""),
    }


def forget_search(
    config: Mapping[str, Any], *, workspace: Workspace, job: str, others: Collection[str], force: bool
) -> str:
    """Delete the trials of a search and their checkpoints where a job alone made them; registered versions stay.

    Args:
        config: what `search_config` returned.
        workspace: where everything is stored.
        job: id of the job.
        others: ids of the other jobs that search.
        force: makes no difference.

    Returns:
        How many trials went or stay.

    Raises:
        JobError: another process runs the search.
        StorageError: the disk refuses.
    """
    identifier = check_name(str(config.get("id")), "search")
    trials = counted_trials(workspace, identifier)
    gone = delete_search(workspace, identifier, job, others)
    return _said(trials, "went with it" if gone else "")


def tell_search(config: Mapping[str, Any], *, workspace: Workspace, job: str, others: Collection[str]) -> str:
    """Return how many trials `forget_search` would delete or leave, in a sentence, or nothing where there are none."""
    identifier = check_name(str(config.get("id")), "search")
    going = made_alone(workspace, identifier, job, others)
    return _said(counted_trials(workspace, identifier), "will go with it" if going else "")


def _said(trials: int | None, going: str) -> str:
    """Say what becomes of so many trials (None: they cannot be read), which stay where nothing says how they go."""
    if trials == 0:
        return ""
    if going:
        return f"{'What it tried' if trials is None else count_of(trials, 'trial')} {going}."
    if trials is None:
        return "What was tried in its search stays: it is not this job's alone."
    stays = "stays: it is" if trials == 1 else "stay: they are"
    return f"The {count_of(trials, 'trial')} of its search {stays} not this job's alone."


def estimate_search(config: SearchConfig, data: TextDataset, settings: Settings) -> Estimate:
    """Return what a search takes at most: the memory of its largest trial, and the time if all were like that one.

    Raises:
        InputError: the model cannot be loaded.
        DataError: the data set is not split, or has no rows to train on.
    """
    config = config.checked()
    return all_trials(estimate_training(largest(config.base, config.space), data, settings), config)


def all_trials(largest_trial: Estimate, config: SearchConfig) -> Estimate:
    """Return what a search takes at most, from what its largest trial takes."""
    return replace(largest_trial, seconds=largest_trial.seconds * (config.trials + config.register))
