"""Running a suite as a job: what the worker process runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lmcore.analysis.suites.running import run_suite
from lmcore.analysis.suites.suite_store import SuiteStore
from lmcore.models.load import load_model
from lmcore.settings import Settings, Workspace
from lmcore.types import Part, Report

TARGET = "lmcore.analysis.suites.job:run"


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Ask a registered version about every case of a kept suite, and keep the answers.

    Args:
        config: ``data``, ``suite`` (``name@number``) and ``version``, each in text form.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``run`` (its id) and ``verdict``.
    """
    settings = replace(Settings.from_environment(), workspace=workspace)
    store = SuiteStore(workspace, config["data"])
    suite = store.load(config["suite"])
    report.progress(0.0, "Loading the model")
    loaded = load_model(config["version"], settings=settings)
    found = run_suite(loaded, suite, report=Part(report, 0.1, 1.0))
    store.save_run(found)
    return {"run": found.id, "verdict": found.verdict()}
