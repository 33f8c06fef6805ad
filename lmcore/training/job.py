"""Training as a job: what the worker process runs."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcore.data.store import DatasetStore
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.types import ModelRef, Report, check_name

TARGET = "lmcore.training.job:run"


def job_config(config: TrainConfig, data: str) -> dict[str, Any]:
    """Return what `run` is to be given to train on a stored data set, with a checkpoint folder of its own."""
    values = config.checked().to_dict() | {"model": from_anywhere(config.model)}
    return {"train": values, "data": data, "checkpoints": f"job-{secrets.token_hex(8)}"}


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Train on a stored data set.

    Args:
        config: ``data`` (a stored data set's text form), ``train`` (a `TrainConfig` as a dict) and ``checkpoints`` (the
            name of their folder).
        workspace: where everything is stored.
        report: progress, metrics and cancellation.
        resume: go on from the checkpoints of an earlier attempt.

    Returns:
        ``version``, ``evaluation``, ``metrics``, ``choices``, ``warnings`` and ``seconds``; of a run that went on from a
        version also ``forgetting`` (the report's id) and ``forgotten`` (its verdict).
    """
    data = DatasetStore(workspace).load(config["data"])
    settings = replace(Settings.from_environment(), workspace=workspace)
    scratch = workspace.checkpoints / check_name(str(config["checkpoints"]), "checkpoint folder")
    result = train(
        TrainConfig.from_dict(config["train"]), data, settings=settings, report=report, scratch=scratch, resume=resume
    )
    forgotten = result.forgetting
    return {
        "version": str(result.version.ref),
        "evaluation": result.evaluation.id,
        "metrics": dict(result.metrics),
        "choices": dict(result.choices),
        "warnings": list(result.warnings),
        "seconds": result.seconds,
        **({"forgetting": forgotten.id, "forgotten": forgotten.verdict} if forgotten else {}),
    }


def from_anywhere(model: str) -> str:
    """Return a model's text form with a path that does not depend on the working directory, which a worker changes."""
    ref = ModelRef.parse(model)
    path = Path(os.path.expanduser(ref.name))
    if ref.kind in {"folder", "gguf", "auto"} and path.exists():
        return str(replace(ref, name=str(path.absolute())))
    return model
