"""Whether a classifier's probabilities can be taken at their word: reliability, ECE, Brier score and AUROC."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.tasks import load_task
from lmcore.tasks.classes import class_task
from lmcore.tasks.figures import Metric
from lmcore.tasks.resampling import RESAMPLES, middle, resampled_sums, wilson
from lmcore.training.evaluation import Evaluation

BINS = 10
LEAST_ROWS = 10
_SMALLEST = 1e-30
_CHUNK = 1_000_000
_MOST_WORK = 400_000_000
_LEAST_RESAMPLES = 200

MEASURES = (
    Metric("ece", "Expected calibration error", higher=False),
    Metric("brier", "Brier score", unit="0 to 2", higher=False, maximum=2.0),
    Metric("nll", "Negative log-likelihood", unit="nats", higher=False, maximum=None),
    Metric("auroc", "Macro AUROC, one class against the rest"),
)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well a version's probabilities hold on the rows of an evaluation.

    Attributes:
        version: the version.
        data: the rows.
        bins: the reliability curve, a row for each bin of about as many predictions: ``rows``, ``confidence`` (mean
            probability of the predicted class), ``accuracy`` (share that is right) and the ends ``low`` and ``high`` of
            its 95 % Wilson interval.
        measures: ``metric`` (a name in `MEASURES`), ``value``, and ``low`` and ``high`` of its 95 % bootstrap interval.
        by_chance: what the ECE would be on so many rows if every probability were exact: its mean over simulations.
        limit: what it would then stay below in 95 % of all cases (after Bröcker & Smith 2007).
        overconfidence: mean confidence less accuracy, -1 to 1.
        parameters: ``seed``, ``rows`` and ``bins``.
    """

    version: str
    data: str
    bins: pd.DataFrame
    measures: pd.DataFrame
    by_chance: float
    limit: float
    overconfidence: float
    parameters: Mapping[str, Any]

    def value(self, name: str) -> float:
        """Return one of the measures; nan where the rows do not allow it."""
        return self._ends(name)[0]

    @property
    def verdict(self) -> str:
        """Say whether the probabilities can be trusted."""
        value, low, high = self._ends("ece")
        said = (
            f"The expected calibration error is {value:.3f} (95 % interval {low:.3f} to {high:.3f}); "
            f"exact probabilities would show up to {self.limit:.3f} on {self.parameters['rows']} rows."
        )
        if value <= self.limit:
            return f"{said} No miscalibration can be told from chance."
        kind = "too sure of itself" if self.overconfidence > 0 else "less sure than it could be"
        return f"{said} **The model is {kind}: fit a temperature on dev, or do not take its probabilities literally.**"

    def _ends(self, name: str) -> tuple[float, float, float]:
        row = self.measures[self.measures["metric"] == name].iloc[0]
        return float(row["value"]), float(row["low"]), float(row["high"])

    def to_frame(self) -> pd.DataFrame:
        """Return the measures."""
        return self.measures


def calibration(evaluation: Evaluation, *, bins: int = BINS, seed: int = 0) -> Calibration:
    """Measure the probabilities of an evaluation.

    The bins have about the same number of rows each (Nguyen & O'Connor 2015), at least 10, and stay as they are over the
    resamples. Resampling adds noise, which an absolute difference turns into error: the interval of the ECE is therefore
    mirrored at the value ("basic" bootstrap), and reaches down to 0 where exact probabilities would show as much.

    Args:
        evaluation: of a task that gives each row one class.
        bins: how many at most.
        seed: of the resampling and the simulation.

    Raises:
        OptionError: the task does not give each row one class.
    """
    p, gold = probabilities(evaluation)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == gold
    places = equal_mass(confidence, bins)
    number = int(places.max()) + 1
    gaps = np.zeros((len(p), number))
    gaps[np.arange(len(p)), places] = confidence - right
    rows = np.column_stack([gaps, brier(p, gold), -np.log(np.maximum(p[np.arange(len(p)), gold], _SMALLEST))])
    sums, drawn = rows.sum(axis=0), resampled_sums(rows, seed=seed)
    ece, noisy = (np.abs(s[..., :number]).sum(axis=-1) / len(p) for s in (sums, drawn))
    exact = _simulated(confidence, places, seed)
    limit = float(np.quantile(exact, 0.95))
    values: list[tuple[str, float, float, float]] = [
        ("ece", float(ece), *_mirrored(float(ece), middle(noisy), limit)),
        ("brier", float(sums[-2]) / len(p), *middle(drawn[:, -2] / len(p))),
        ("nll", float(sums[-1]) / len(p), *middle(drawn[:, -1] / len(p))),
        ("auroc", *auroc(p, gold, seed=seed)),
    ]
    return Calibration(
        version=evaluation.version,
        data=evaluation.data,
        bins=_curve(confidence, right, places),
        measures=pd.DataFrame(values, columns=["metric", "value", "low", "high"]),
        by_chance=float(exact.mean()),
        limit=limit,
        overconfidence=float(confidence.mean() - right.mean()),
        parameters={"seed": seed, "rows": len(p), "bins": number},
    )


def probabilities(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of each class, float64 of shape (rows, classes), and the true classes' indices.

    Raises:
        OptionError: the task does not give each row one class.
    """
    class_task(load_task(evaluation.task))
    return table_probabilities(evaluation.predictions)


def table_probabilities(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from a table of `lmcore.tasks.classes.ClassTask`."""
    names = [name for name in table if str(name).startswith("p:")]
    index = {str(name).removeprefix("p:"): number for number, name in enumerate(names)}
    return table[names].to_numpy(dtype=np.float64), table["gold"].map(index).to_numpy(dtype=np.int64)


def equal_mass(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the bin of each row, from 0: about equally many rows each, at least 10; equal values stay together."""
    number = max(1, min(bins, len(confidence) // LEAST_ROWS))
    edges = np.unique(np.quantile(confidence, np.arange(1, number) / number))
    found = np.searchsorted(edges, confidence, side="left")
    return np.unique(found, return_inverse=True)[1]


def brier(p: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return each row's squared distance between the probabilities and the truth, 0 to 2 (Brier 1950)."""
    distance: np.ndarray = (p**2).sum(axis=1) - 2 * p[np.arange(len(p)), gold] + 1
    return distance


def auroc(p: np.ndarray, gold: np.ndarray, *, seed: int = 0) -> tuple[float, float, float]:
    """Return the area under the ROC curve of each class against the rest, averaged, with its 95 % interval.

    Classes without a row, and a class that all rows have, are left out; nan where no class is left. There are 1 000
    resamples, down to 200 where rows times classes are many.

    Args:
        p: probabilities, shape (rows, classes).
        gold: true classes' indices, shape (rows,).
        seed: of the resampling.
    """
    rows, classes = p.shape
    counts = np.bincount(gold, minlength=classes)
    kept = np.flatnonzero((counts > 0) & (counts < rows))
    if not len(kept):
        return float("nan"), float("nan"), float("nan")
    areas = [_Area(p[:, k], gold == k) for k in kept]
    value = np.mean([area(np.ones((1, rows)))[0] for area in areas])
    resamples = int(np.clip(_MOST_WORK // (rows * len(kept)), _LEAST_RESAMPLES, RESAMPLES))
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // rows)
    drawn = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(float)
        drawn.append(_mean_of_known(np.stack([area(weights) for area in areas])))
    return (float(value), *middle(np.concatenate(drawn)))


class _Area:
    """The area under one ROC curve as a function of how often each row is drawn."""

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._positive = positive[self._order].astype(float)
        self._starts = np.flatnonzero(np.diff(scores[self._order], prepend=-np.inf))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Return the area for each row of weights (draws, rows); nan where a side is empty."""
        ordered = weights[:, self._order]
        positive = np.add.reduceat(ordered * self._positive, self._starts, axis=1)
        negative = np.add.reduceat(ordered * (1 - self._positive), self._starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        won = (positive * below).sum(axis=1)
        area: np.ndarray = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
        return area


def _mean_of_known(areas: np.ndarray) -> np.ndarray:
    known = np.isfinite(areas)
    total = np.where(known, areas, 0).sum(axis=0)
    number = known.sum(axis=0)
    mean: np.ndarray = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    return mean


def _simulated(confidence: np.ndarray, places: np.ndarray, seed: int) -> np.ndarray:
    """Return the ECE of simulated outcomes that are right as often as the confidence says."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        gap = confidence - (rng.random(len(confidence)) < confidence)
        found.append(np.abs(np.bincount(places, gap)).sum() / len(confidence))
    return np.array(found)


def _mirrored(value: float, ends: tuple[float, float], limit: float) -> tuple[float, float]:
    """Return the ends of a resampled error mirrored at its value; the lower one is 0 up to what chance would show."""
    low = 0.0 if value <= limit else min(value, max(0.0, 2 * value - ends[1]))
    return low, max(value, 2 * value - ends[0])


def _curve(confidence: np.ndarray, right: np.ndarray, places: np.ndarray) -> pd.DataFrame:
    grouped = pd.DataFrame({"place": places, "confidence": confidence, "right": right}).groupby("place")
    rows = [
        (
            len(part),
            float(part["confidence"].mean()),
            float(part["right"].mean()),
            *wilson(part["right"].sum(), len(part)),
        )
        for _, part in grouped
    ]
    return pd.DataFrame(rows, columns=["rows", "confidence", "accuracy", "low", "high"])
