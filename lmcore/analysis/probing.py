"""How well a plain linear classifier reads the labels off each layer."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.linear import fit_linear
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.tasks.classes import class_task
from lmcore.tasks.metrics import score_classes
from lmcore.types import Part, Report, Silent

# The best on dev (mean over the layers) of .003 to 1 for MiniLM on SST-2, and flat around it.
STRENGTH = 0.02


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A probe's accuracy on each layer.

    Attributes:
        accuracies: ``layer``, ``split``, ``accuracy``, ``low`` and ``high`` (95 % bootstrap interval).
        best_layer: the layer with the highest accuracy on dev; the lower one where several are equal.
        strength: inverse strength of the L2 penalty.
        fingerprint: hash of weights, rows and settings.
    """

    accuracies: pd.DataFrame
    best_layer: int
    strength: float
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the accuracies."""
        return self.accuracies


def probe_layers(
    loaded: LoadedModel,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    test: pd.DataFrame | None = None,
    *,
    task: str = "text-classification",
    seed: int = 0,
    strength: float = STRENGTH,
    report: Report | None = None,
) -> ProbeResult:
    """Fit a logistic regression on the mean token vectors of each frozen layer (Alain & Bengio 2016).

    Args:
        loaded: any model.
        train: rows to fit on: ``id``, ``text``, ``label``.
        dev: rows to choose the best layer on.
        test: rows to report on.
        task: whose labels are read.
        seed: of the fit and the intervals.
        strength: inverse strength of the L2 penalty.
        report: progress and cancellation.

    Raises:
        DataError: the rows have fewer than two classes, or dev or test has a class that train lacks.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    kind = class_task(load_task(task))
    kind.check(train, "The rows to probe on")
    labels = kind.labels(train)
    parts = {"train": train, "dev": dev} | ({} if test is None else {"test": test})
    if any(part.empty for part in parts.values()):
        raise InputError("A split has no rows: give some for each.")
    gold = {name: kind.gold(part, labels) for name, part in parts.items()}
    states = _states(loaded, kind.encode, parts, Part(report, 0.0, 0.8))
    rows = []
    for layer in range(loaded.layers + 1):
        report.check()
        fit = fit_linear(states["train"][layer], gold["train"], seed=seed, C=strength)
        for name in parts:
            scores = score_classes(gold[name], fit.predict(states[name][layer]), labels, seed=seed)
            rows.append((layer, name, scores.metrics["accuracy"], *scores.intervals["accuracy"]))
        report.progress(0.8 + 0.2 * (layer + 1) / (loaded.layers + 1), f"Layer {layer} probed")
    frame = pd.DataFrame(rows, columns=["layer", "split", "accuracy", "low", "high"])
    on_dev = frame[frame["split"] == "dev"]["accuracy"].to_numpy()
    digits = fingerprint(loaded.fingerprint, [p["text"].tolist() for p in parts.values()], seed, strength)
    return ProbeResult(frame, int(on_dev.argmax()), strength, digits)


def _states(
    loaded: LoadedModel, encode: object, parts: dict[str, pd.DataFrame], report: Report
) -> dict[str, np.ndarray]:
    total, done, states = sum(map(len, parts.values())), 0, {}
    for name, part in parts.items():
        encodings = encode(loaded.tokenizer, part, loaded.max_length)  # type: ignore[operator]
        stretch = Part(report, done / total, (done + len(part)) / total)
        states[name] = mean_pooled_states(loaded, encodings, report=stretch)
        done += len(part)
    return states
