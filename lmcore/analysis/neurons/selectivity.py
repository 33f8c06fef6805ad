"""Which neurons tell the texts of one label from all others: chosen on one half of the texts, measured on the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lmcore.analysis.neurons.sums import RunningMoments

MEASURED_TEXTS = 5000
FEWEST = 4
COLUMNS = ["label", "layer", "neuron", "effect", "auroc", "low", "high", "p", "p_adjusted", "texts"]


@dataclass(frozen=True, eq=False)
class Halves:
    """Which texts neurons are chosen on, and which they are measured on.

    Attributes:
        labels: those with at least `FEWEST` texts.
        codes: each text's place in ``labels``, -1 for another; int64 of shape (texts,).
        choose: numbers of the texts that neurons are chosen on.
        measure: numbers of the texts that they are measured on, at most `MEASURED_TEXTS`.
    """

    labels: tuple[str, ...]
    codes: np.ndarray
    choose: np.ndarray
    measure: np.ndarray


def halves(labels: Sequence[str], seed: int) -> Halves:
    """Divide texts into two halves with like shares of each label; with fewer than two labels none is measured."""
    names, codes, counts = np.unique(
        np.asarray(labels, dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero(counts >= FEWEST)
    if len(kept) < 2:
        kept = kept[:0]
    place = np.full(len(names), -1)
    place[kept] = np.arange(len(kept))
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    measure = order[1::2][:: max(1, -(-len(order) // 2 // MEASURED_TEXTS))] if len(kept) else order[:0]
    choose = np.setdiff1d(np.arange(len(codes)), measure)
    return Halves(tuple(map(str, names[kept])), place[codes], choose, np.sort(measure))


@dataclass(eq=False)
class LabelSums:
    """Means and variances of every neuron by label, over the texts that neurons are chosen on.

    Attributes:
        halves: the texts' labels.
        shape: layers and neurons.
        moments: one for each label, and one for texts of none.
    """

    halves: Halves
    shape: tuple[int, int]
    moments: list[list[RunningMoments]] = field(init=False)

    def __post_init__(self) -> None:
        layers, neurons = self.shape
        self.moments = [[RunningMoments((neurons,)) for _ in range(layers)] for _ in range(len(self.halves.labels) + 1)]

    def add(self, layer: int, pooled: np.ndarray, rows: np.ndarray) -> None:
        """Take in one layer's values, one a text, shape (batch, neurons); texts without a value are passed over."""
        known = np.isfinite(pooled).all(axis=1)
        codes = self.halves.codes[rows]
        for code in np.unique(codes[known]):
            self.moments[code][layer].add_values(pooled[known & (codes == code)])

    def effects(self, label: int) -> np.ndarray:
        """Return how far a label's texts lie from all others, in pooled standard deviations (Cohen's d).

        Returns:
            Shape (layers, neurons); positive where the neuron is larger for the label; 0 where it never changes.
        """
        found = np.zeros(self.shape)
        for layer in range(self.shape[0]):
            own = self.moments[label][layer]
            first, *rest = [each[layer] for number, each in enumerate(self.moments) if number != label]
            other = first.merged(rest)
            if own.count < 2 or other.count < 2:
                continue
            degrees = own.count + other.count - 2
            spread = np.sqrt(((own.count - 1) * own.variance + (other.count - 1) * other.variance) / degrees)
            gap = own.mean - other.mean
            found[layer] = np.where(spread > 1e-12, gap / np.maximum(spread, 1e-12), 0.0)
        return found

    def candidates(self, count: int) -> list[tuple[int, int, int, float]]:
        """Return for each label its neurons with the largest effects: label, layer, neuron, effect."""
        found = []
        for label in range(len(self.halves.labels)):
            effects = self.effects(label)
            best = np.argsort(-np.abs(effects), axis=None, kind="stable")[:count]
            found += [
                (label, int(layer), int(neuron), float(effects[layer, neuron]))
                for layer, neuron in zip(*np.unravel_index(best, effects.shape), strict=True)
                if effects[layer, neuron] != 0
            ]
        return found


def measured(
    candidates: Sequence[tuple[int, int, int, float]],
    values: np.ndarray,
    codes: np.ndarray,
    labels: Sequence[str],
    numbers: Sequence[int],
) -> pd.DataFrame:
    """Measure chosen neurons on texts that they were not chosen on.

    Args:
        candidates: label, layer (counted from 0), neuron and effect.
        values: each text's value of each candidate, shape (texts, candidates).
        codes: each text's label.
        labels: their names.
        numbers: of the layers.

    Returns:
        ``label``, ``layer``, ``neuron``, ``effect`` (Cohen's d on the other texts), ``auroc`` with a 95 % interval
        (Hanley & McNeil 1982), ``p`` (Mann-Whitney), ``p_adjusted`` for all candidates (Holm 1979), ``texts``; the
        farthest from .5 first, label by label.
    """
    rows = []
    for place, (label, layer, neuron, effect) in enumerate(candidates):
        known = np.isfinite(values[:, place])
        own, other = (values[known & (codes == label), place], values[known & (codes != label), place])
        if not len(own) or not len(other):
            continue
        auroc, p = _mann_whitney(own, other)
        error = _hanley_mcneil(auroc, len(own), len(other))
        low, high = max(0.0, auroc - 1.96 * error), min(1.0, auroc + 1.96 * error)
        rows.append((labels[label], numbers[layer], neuron, effect, auroc, low, high, p, p, int(known.sum())))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["p_adjusted"] = _holm(frame["p"].to_numpy(dtype=np.float64))
    frame["distance"] = -(frame["auroc"] - 0.5).abs()
    return frame.sort_values(["label", "distance"], kind="stable").drop(columns="distance").reset_index(drop=True)


def _mann_whitney(own: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(own, other, alternative="two-sided", method="asymptotic")
    p = float(found.pvalue)
    return float(found.statistic) / (len(own) * len(other)), p if np.isfinite(p) else 1.0


def _hanley_mcneil(auroc: float, own: int, other: int) -> float:
    """Return the standard error of an AUROC."""
    first, second = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    square = auroc**2
    spread = auroc * (1 - auroc) + (own - 1) * (first - square) + (other - 1) * (second - square)
    return float(np.sqrt(max(spread, 0.0) / (own * other)))


def _holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted for their number."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    found = np.empty(len(p))
    found[order] = np.minimum(steps, 1.0)
    return found
