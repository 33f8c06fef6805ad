"""Compressing as a job: what the worker process runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmcore.data.store import DatasetStore
from lmcore.settings import MIB, Settings, Workspace
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.run import compress, working_bytes
from lmcore.training.job import definite
from lmcore.types import Report

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion

TARGET = "lmcore.training.compression.job:run"
_PROCESS_BYTES = 900 * MIB


def job_config(config: CompressConfig, data: str, *, settings: Settings | None = None) -> dict[str, Any]:
    """Return what `run` is to be given to compress a version, judged and measured on a stored data set.

    Args:
        config: which version, and how; an alias is named by its number, since it may move before the job is run.
        data: the stored data set's text form.
        settings: of the workspace whose versions are meant; from the environment where None.

    Raises:
        OptionError: a setting is out of range.
        InputError: there is no such version.
    """
    config = config.checked()
    return {"compress": config.to_dict() | {"version": definite(config.version, settings)}, "data": data}


def compress_bytes(version: "ModelVersion") -> int:
    """Return about how much memory a process takes that compresses a version."""
    return _PROCESS_BYTES + working_bytes(version)


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Compress a registered version.

    Args:
        config: what `job_config` returned.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``version``, ``evaluation``, ``tradeoff`` (its id), ``summary`` and ``seconds``.
    """
    data = DatasetStore(workspace).load(config["data"])
    settings = replace(Settings.from_environment(), workspace=workspace)
    made = compress(CompressConfig.from_dict(config["compress"]), data, settings=settings, report=report)
    return {
        "version": str(made.version.ref),
        "evaluation": made.evaluation.id,
        "tradeoff": made.tradeoff.id,
        "summary": made.summary,
        "seconds": made.seconds,
    }
