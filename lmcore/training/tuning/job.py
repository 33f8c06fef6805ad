"""Searching as a job: what the worker process runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.settings import Settings, Workspace
from lmcore.training.estimate import Estimate, estimate_training
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.run import delete_search, search, search_id, with_number
from lmcore.training.tuning.space import largest
from lmcore.types import Report, check_name

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
    found = search(SearchConfig.from_dict(config["search"]), data, settings=settings, report=report)
    row = found.best_row
    return {
        "search": found.id,
        "verdict": found.verdict,
        "best": None if found.best is None else found.best.to_dict(),
        "value": None if row is None else float(row["value"]),
        "version": found.registered.get("version", ""),
    }


def forget_search(
    config: Mapping[str, Any], *, workspace: Workspace, others: Sequence[Mapping[str, Any]], force: bool
) -> None:
    """Delete the trials of a search and their checkpoints, unless another job has them too; registered versions stay.

    Args:
        config: what `search_config` returned.
        workspace: where everything is stored.
        others: the configurations of the other jobs that search.
        force: makes no difference.

    Raises:
        JobError: another process runs the search.
        StorageError: the disk refuses.
    """
    identifier = check_name(str(config.get("id")), "search")
    if all(other.get("id") != identifier for other in others):
        delete_search(workspace, identifier)


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
