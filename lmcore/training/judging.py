"""Evaluating, calibrating, drawing learning curves and measuring forgetting as jobs: what the worker process runs."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmcore.data.store import DatasetStore
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.continual.forgetting import forgetting_of
from lmcore.training.continual.kept_forgetting import save_forgetting
from lmcore.training.curve import SHARES, learning_curve
from lmcore.training.evaluation import evaluate, save_evaluation
from lmcore.training.job import definite
from lmcore.training.temperature import calibrate
from lmcore.types import Report, check_name

EVALUATION = "lmcore.training.judging:run_evaluation"
CALIBRATION = "lmcore.training.judging:run_calibration"
CURVE = "lmcore.training.judging:run_curve"
FORGETTING = "lmcore.training.judging:run_forgetting"


def curve_config(
    config: TrainConfig, data: str, shares: Sequence[float] = SHARES, *, settings: Settings | None = None
) -> dict[str, Any]:
    """Return what `run_curve` is to be given, with a checkpoint folder of its own.

    Args:
        config: what is trained at every size; an alias is named by its number, as for `lmcore.training.job.job_config`.
        data: a stored data set's text form.
        shares: of the training split.
        settings: of the workspace whose versions are meant; from the environment where None.
    """
    values = config.checked().to_dict() | {"model": definite(config.model, settings)}
    return {"train": values, "data": data, "shares": list(shares), "checkpoints": f"curve-{secrets.token_hex(8)}"}


def run_evaluation(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Measure a registered version on a stored data set and keep the result.

    Args:
        config: ``version``, ``data`` (a stored data set's text form), ``split`` and, where texts are to be written in another
            way than the model's own, ``decoding``.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``evaluation`` (its id), ``version``, ``data`` and ``metrics``.
    """
    data = DatasetStore(workspace).load(config["data"])
    report.progress(0.0, "Loading the model")
    found = evaluate(
        config["version"],
        data,
        split=config["split"],
        settings=_settings(workspace),
        decoding=config.get("decoding"),
        report=report,
    )
    save_evaluation(workspace, found)
    return {"evaluation": found.id, "version": found.version, "data": found.data, "metrics": dict(found.metrics)}


def run_calibration(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Fit a temperature on the dev split of a stored data set and register the version with it as a new one.

    Args:
        config: ``version`` and ``data``.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``version``, ``evaluation``, ``temperature``, and the expected calibration errors on test ``before`` and ``after``.
    """
    data = DatasetStore(workspace).load(config["data"])
    made = calibrate(config["version"], data, settings=_settings(workspace), report=report)
    return {
        "version": str(made.version.ref),
        "evaluation": made.evaluation,
        "temperature": made.version.facts["temperature"],
        "before": made.before.value("ece"),
        "after": made.after.value("ece"),
        "verdict": made.verdict,
    }


def run_curve(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Draw the learning curve of a training configuration and keep it.

    Args:
        config: what `curve_config` returned.
        workspace: where everything is stored.
        report: progress, test figures by the number of rows, and cancellation.
        resume: take up the sizes that an earlier attempt finished.

    Returns:
        ``curve`` (its id) and ``verdict``.
    """
    data = DatasetStore(workspace).load(config["data"])
    curve = learning_curve(
        TrainConfig.from_dict(config["train"]),
        data,
        shares=config["shares"],
        settings=_settings(workspace),
        scratch=workspace.checkpoints / check_name(str(config["checkpoints"]), "checkpoint folder"),
        resume=resume,
        report=report,
    )
    return {"curve": curve.id, "verdict": curve.verdict}


def run_forgetting(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Measure what a version forgot of what the one knew that it was trained on from, and keep the result.

    Args:
        config: ``version``.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: evaluations that are kept are taken up either way.

    Returns:
        ``forgetting`` (its id) and ``verdict``.
    """
    report.progress(0.0, "Loading the models")
    found = forgetting_of(config["version"], settings=_settings(workspace), report=report)
    save_forgetting(workspace, found)
    return {"forgetting": found.id, "verdict": found.verdict}


def _settings(workspace: Workspace) -> Settings:
    return replace(Settings.from_environment(), workspace=workspace)
