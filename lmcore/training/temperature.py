"""Temperature scaling: one number, fitted on dev, that makes a classifier as sure as it should be."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import TEMPERATURE, load_model
from lmcore.settings import Settings
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.tasks.classes import class_task
from lmcore.training.calibration import Calibration, calibration, probabilities
from lmcore.training.evaluation import evaluate, save_evaluation
from lmcore.training.kept import ensure_evaluation
from lmcore.types import ModelRef, Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion

LOWEST, HIGHEST = 0.05, 20.0
_SMALLEST = 1e-30


@dataclass(frozen=True, eq=False)
class TemperatureFit:
    """A fitted temperature.

    Attributes:
        temperature: what logits are divided by; above 1 the model was too sure.
        before: mean negative log-likelihood on dev without it, in nats.
        after: the same with it; never more.
        rows: of dev.
    """

    temperature: float
    before: float
    after: float
    rows: int


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What calibrating a version gave.

    Attributes:
        version: the new version: the same weights with the temperature.
        fit: the temperature and what it does on dev.
        before: the old version's calibration on test.
        after: the new one's.
        evaluation: id of the new version's evaluation on test.
    """

    version: "ModelVersion"
    fit: TemperatureFit
    before: Calibration
    after: Calibration
    evaluation: str

    @property
    def verdict(self) -> str:
        """Say what it changed on the test split."""
        old, new = self.before.value("ece"), self.after.value("ece")
        change = "goes down" if new < old else "does not go down"
        temperature = self.version.facts["temperature"]
        return (
            f"{self.version.ref} divides its logits by {temperature:.2f}, fitted on {self.fit.rows} dev rows. On test the "
            f"expected calibration error {change}: {old:.3f} before, {new:.3f} after; no answer changes."
        )


def fit_temperature(p: np.ndarray, gold: np.ndarray) -> TemperatureFit:
    """Find the temperature with the lowest negative log-likelihood (Guo et al. 2017).

    Args:
        p: probabilities before scaling, shape (rows, classes); their logarithms stand for the logits.
        gold: true classes' indices, shape (rows,).

    Raises:
        InputError: no prediction is wrong, so that the likelihood grows without end as the temperature falls.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if (p.argmax(axis=1) == gold).all():
        raise InputError(
            f"None of the {len(p)} dev rows is predicted wrongly, so that no temperature can be fitted: split off a larger "
            "dev split."
        )
    logits = np.log(np.maximum(p, _SMALLEST))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(gold)), gold].mean())

    ends = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    best = min((0.0, float(found.x)), key=loss)
    return TemperatureFit(float(np.exp(best)), loss(0.0), loss(best), len(p))


def calibrate(
    version: "str | ModelRef", data: TextDataset, *, settings: Settings, seed: int = 0, report: Report | None = None
) -> Calibrated:
    """Fit a temperature on the dev split and register the version with it as a new one.

    The test split is only measured: before, and after. What was the version stays as it is.

    Args:
        version: a registered version of a task that gives each row one class.
        data: a split data set.
        settings: workspace and device.
        seed: of the bootstrap intervals.
        report: progress and cancellation.

    Raises:
        InputError: there is no such version, its files are gone, or no dev row is predicted wrongly.
        OptionError: its task does not give each row one class.
        DataError: the data set is not split, or its rows cannot be measured.
        StorageError: the disk is full; nothing half-written is registered.
        Cancelled: the report asked to stop.
    """
    from lmcore.models.registry import ModelRegistry

    report = report or Silent()
    base = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(version)
    class_task(load_task(base.task))
    _check_whole(data)
    report.progress(0.0, "Loading the model")
    loaded = load_model(base.ref, settings=settings)
    dev = evaluate(loaded, data, split="dev", settings=settings, seed=seed, report=Part(report, 0.05, 0.35))
    fit = fit_temperature(*probabilities(dev))
    before = ensure_evaluation(loaded, data, settings=settings, report=Part(report, 0.35, 0.65))
    new = _register(base, loaded.temperature * fit.temperature, fit, dev.data, settings)
    kept = {name: before.tables[name] for name in ("baselines",) if name in before.tables}
    after = evaluate(new.ref, data, settings=settings, seed=seed, tables=kept, report=Part(report, 0.65, 0.95))
    save_evaluation(settings.workspace, after)
    report.progress(0.95, "Comparing before and after")
    return Calibrated(new, fit, calibration(before, seed=seed), calibration(after, seed=seed), after.id)


def _check_whole(data: TextDataset) -> None:
    """Refuse a data set without a dev split: `evaluate` would take all its rows for want of one."""
    if data.ref and data.ref.split:
        raise DataError(f"{data.ref} is one split alone: name the whole data set, whose dev split is fitted on.")
    data.part("dev")


def _register(
    base: "ModelVersion", temperature: float, fit: TemperatureFit, data: str, settings: Settings
) -> "ModelVersion":
    """Register a copy of a version whose configuration names the temperature."""
    from lmcore.models.registry import ModelRegistry

    facts = {**base.facts, "temperature": temperature, "calibrated_from": str(base.ref), "calibrated_on": data}
    target = settings.workspace.models / base.name / fingerprint(facts, time.time_ns())
    with whole_folder(target) as folder:
        shutil.copytree(base.folder, folder, dirs_exist_ok=True, copy_function=_link_weights)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        write_json(folder / "config.json", {**config, TEMPERATURE: temperature})
        write_json(folder / "training.json", facts)
    metrics: Mapping[str, Any] = {**base.metrics, "dev_loss": fit.after}
    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    return registry.register(base.name, target, task=base.task, run_id=base.run_id, metrics=metrics, facts=facts)


def _link_weights(source: str, target: str) -> None:
    """Share the weights' bytes on disk, which nothing ever writes to again; copy everything else."""
    if Path(source).suffix == ".safetensors":
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)
        return
    shutil.copy2(source, target)
