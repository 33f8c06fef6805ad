"""The method `head`: a linear classifier on one frozen layer, both chosen on dev."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.storage import disk_errors
from lmcore.tasks.labelled import label_task
from lmcore.training.needs import check_room, head_bytes
from lmcore.training.trained import Trained, TrainJob
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.models.encode import Encodings
    from lmcore.models.linear import LinearFit
    from lmcore.models.load import LoadedModel

STRENGTHS = (0.01, 0.1, 1.0)


@dataclass(frozen=True, eq=False)
class _Candidate:
    layer: int
    strength: float
    fit: "LinearFit"
    figures: Mapping[str, float]

    @property
    def loss(self) -> float:
        """Mean cross-entropy on dev."""
        return self.figures["dev_loss"]


def fit_head(job: TrainJob) -> Trained:
    """Encode train and dev once, fit a classifier for each layer and penalty, and keep the best on dev.

    The best is the one with the lowest cross-entropy on dev: it uses every probability, so that it is a far steadier
    judge than accuracy on a dev split of some hundred rows.

    Raises:
        OptionError: the layer is above the model's last one.
        InputError: the model has no trained weights.
        ResourceError: it would not fit into the memory that is free.
        Cancelled: the report asked to stop.
    """
    from lmcore.models.encode import batch_of
    from lmcore.models.load import load_model
    from lmcore.models.pooled import build_classifier

    config, task = job.config, label_task(job.task)
    job.report.progress(0.0, "Loading the model")
    loaded = load_model(config.model, task="", settings=job.settings)
    layers = _layers(config.layer, loaded.layers)
    check_room(job, loaded.model, head_bytes(loaded.model, len(job.train) + len(job.dev)))
    limit = min(config.max_length, loaded.max_length)
    train = task.encode(loaded.tokenizer, job.train.frame, limit)
    dev = task.encode(loaded.tokenizer, job.dev.frame, limit)
    share = len(train) / (len(train) + len(dev))
    x_train = _states(job, loaded, train, Part(job.report, 0.02, 0.02 + 0.68 * share))
    x_dev = _states(job, loaded, dev, Part(job.report, 0.02 + 0.68 * share, 0.70))
    best = _choose(job, layers, x_train, x_dev)
    sample = batch_of(loaded.tokenizer, train, range(min(4, len(train))))
    model = build_classifier(loaded.model.cpu(), best.layer, best.fit.weight, best.fit.bias, job.labels, sample)
    model.config.problem_type = task.model_options(job.labels).get("problem_type")
    return Trained(
        model=model,
        tokenizer=loaded.tokenizer,
        choices={"layer": best.layer, "strength": best.strength},
        dev_metrics=best.figures,
        encodings=train,
        learnt=best.fit.weight.size + best.fit.bias.size,
    )


def _layers(asked: int | None, last: int) -> list[int]:
    if asked is None:
        return list(range(last + 1))
    if asked > last:
        raise OptionError(f"The layer is {asked}, but the model has the layers 0 (embeddings) to {last}.")
    return [asked]


def _states(job: TrainJob, loaded: "LoadedModel", encodings: "Encodings", report: Part) -> np.ndarray:
    """Return mean token vectors of every layer; an earlier attempt's are read back instead of computed again."""
    from lmcore.models.hidden import mean_pooled_states

    path = job.scratch / f"states-{fingerprint(loaded.fingerprint, encodings.ids)}.npy"
    if job.resume and path.is_file():
        report.progress(1.0, "Taking up the vectors of the earlier attempt")
        earlier: np.ndarray = np.load(path, allow_pickle=False)
        return earlier
    states = mean_pooled_states(loaded, encodings, batch_size=job.config.batch_size, report=report)
    _save_array(path, states)
    return states


def _save_array(path: Path, array: np.ndarray) -> None:
    part = path.with_suffix(".part")
    with disk_errors(path):
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def _choose(job: TrainJob, layers: list[int], x_train: np.ndarray, x_dev: np.ndarray) -> _Candidate:
    task = label_task(job.task)
    gold, gold_dev = (task.gold(part.frame, job.labels) for part in (job.train, job.dev))
    strengths = STRENGTHS if job.config.strength is None else (job.config.strength,)
    best: _Candidate | None = None
    for number, layer in enumerate(layers):
        at_layer: _Candidate | None = None
        for strength in strengths:
            job.report.check()
            fit = task.fit_linear(x_train[layer], gold, seed=job.config.seed, strength=strength)
            candidate = _Candidate(layer, strength, fit, task.judge(fit.logits(x_dev[layer]), gold_dev))
            if at_layer is None or candidate.loss < at_layer.loss:
                at_layer = candidate
        if at_layer is not None:
            job.report.metrics(layer, at_layer.figures)
            message = f"Layer {layer}: dev {_said(at_layer.figures)}"
            job.report.progress(0.70 + 0.25 * (number + 1) / len(layers), message)
            if best is None or at_layer.loss < best.loss:
                best = at_layer
    if best is None:
        raise OptionError("There is no layer to choose from.")
    return best


def _said(figures: Mapping[str, float]) -> str:
    """Return the figure beside the loss in words, such as ``accuracy 0.812``."""
    name = next(name for name in figures if name != "dev_loss")
    return f"{name.removeprefix('dev_').replace('_', ' ')} {figures[name]:.3f}"
