"""Metrics of label sets (several labels a row) with bootstrap intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lmcore.tasks.figures import Scores
from lmcore.tasks.resampling import resampled_sums, row_weights
from lmcore.tasks.tally import Tally


def score_label_sets(
    gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, labels: Sequence[str], *, seed: int
) -> Scores:
    """Compare label sets.

    Args:
        gold: whether a row has a label, bool of shape (rows, labels).
        predicted: whether it was given one, of the same shape.
        probabilities: of each label, of the same shape.
        labels: their names.
        seed: of the resampling.

    Returns:
        The metrics of `measure_label_sets` with 95 % intervals of the percentile bootstrap over rows; the table
        ``by_class`` has precision, recall and F1 of each label.
    """
    counts, occurs = _statistics(gold, predicted), (gold | predicted).any(axis=0)
    point = _from_sums(counts.sum(axis=0)[None], occurs)
    spread = _from_sums(resampled_sums(counts, seed=seed), occurs)
    ends = {name: np.percentile(values, [2.5, 97.5], axis=0) for name, values in spread.items()}
    overall = [name for name, values in point.items() if values.ndim == 1]
    metrics = {name: float(point[name][0]) for name in overall}
    intervals = {name: (float(ends[name][0]), float(ends[name][1])) for name in overall}
    areas = np.concatenate([_macro_auroc(gold, probabilities, w) for w in row_weights(len(gold), seed=seed)])
    metrics["auroc_macro"] = float(_macro_auroc(gold, probabilities, np.ones((1, len(gold))))[0])
    intervals["auroc_macro"] = (float(np.percentile(areas, 2.5)), float(np.percentile(areas, 97.5)))
    return Scores(metrics, intervals, {"by_class": _by_label(point, ends, gold, labels)})


def measure_label_sets(gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics of label sets without intervals; shapes as in `score_label_sets`.

    Returns:
        ``f1_micro``, ``precision_micro`` and ``recall_micro`` (over all pairs of row and label), ``f1_macro`` (the mean
        over the labels that occur in ``gold`` or ``predicted``), ``exact_match`` (share of the rows whose whole set is
        right) and ``auroc_macro`` (the mean over the labels that some rows have and some have not; .5 where there is
        none), each 0 to 1.
    """
    point = _from_sums(_statistics(gold, predicted).sum(axis=0)[None], (gold | predicted).any(axis=0))
    found = {name: float(values[0]) for name, values in point.items() if values.ndim == 1}
    return {**found, "auroc_macro": float(_macro_auroc(gold, probabilities, np.ones((1, len(gold))))[0])}


def best_threshold(gold: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the threshold above which giving a label makes the micro F1 highest, 0 to 1.

    Args:
        gold: whether a row has a label, bool of shape (rows, labels).
        probabilities: of each label, of the same shape.
    """
    order = np.argsort(-probabilities, axis=None, kind="stable")
    ranked, hits = probabilities.ravel()[order], np.cumsum(gold.ravel()[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + max(int(gold.sum()), 1))
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # equal probabilities are taken together
    best = int(last[f1[last].argmax()])
    below = float(ranked[best + 1]) if best + 1 < len(ranked) else 0.0
    return (float(ranked[best]) + below) / 2


def weighted_auroc(gold: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for several weightings of the rows at once.

    It is the share of the pairs of a row with and one without the label that the scores put in the right order, ties
    counting half.

    Args:
        gold: bool of shape (rows,).
        scores: of shape (rows,).
        weights: of shape (weightings, rows).

    Returns:
        float64 of shape (weightings,), NaN where a weighting leaves no such pair.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    drawn = weights[:, order]
    with_label = np.add.reduceat(drawn * gold[order], starts, axis=1)
    without = np.add.reduceat(drawn * ~gold[order], starts, axis=1)
    ordered = (with_label * (np.cumsum(without, axis=1) - without / 2)).sum(axis=1)
    pairs = with_label.sum(axis=1) * without.sum(axis=1)
    areas: np.ndarray = np.divide(ordered, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
    return areas


def _macro_auroc(gold: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    split = [n for n in range(gold.shape[1]) if 0 < gold[:, n].sum() < len(gold)]
    if not split:
        return np.full(len(weights), 0.5)
    areas = np.stack([weighted_auroc(gold[:, n], probabilities[:, n], weights) for n in split])
    known = ~np.isnan(areas)
    summed = np.where(known, areas, 0).sum(axis=0)
    return np.where(known.any(axis=0), summed / np.maximum(known.sum(axis=0), 1), 0.5)


def tally_label_sets(gold: np.ndarray, predicted: np.ndarray) -> Tally:
    """Return the tally of label sets: the overall metrics of `measure_label_sets` but AUROC; shapes as in `score_label_sets`.

    Micro F1, precision and recall are NaN where rows have no label, neither a true one nor a given one.
    """
    labels = gold.shape[1]
    occurs = (gold | predicted).any(axis=0)
    micro = ("f1_micro", "precision_micro", "recall_micro")

    def read(sums: np.ndarray) -> dict[str, np.ndarray]:
        found = _from_sums(sums, occurs)
        some = sums[..., labels : 3 * labels].sum(axis=-1) > 0
        averages = {name: np.where(some, found[name], np.nan) for name in micro}
        return {**averages, "f1_macro": found["f1_macro"], "exact_match": found["exact_match"]}

    return Tally(_statistics(gold, predicted), read)


def _statistics(gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return for each row: hits, predictions and true labels (a column a label), whether the whole set is right, and 1."""
    exact = (gold == predicted).all(axis=1)[:, None]
    return np.hstack([gold & predicted, predicted, gold, exact, np.ones_like(exact)]).astype(float)


def _from_sums(sums: np.ndarray, occurs: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return metrics of sums of shape (…, 3 × labels + 2): overall ones of shape (…), and by label.

    Macro averages run over the labels that ``occurs``, bool of shape (labels,), marks.
    """
    hits, given, true = np.split(sums[..., :-2], 3, axis=-1)
    f1 = _share(2 * hits, given + true)
    all_hits, all_given, all_true = hits.sum(axis=-1), given.sum(axis=-1), true.sum(axis=-1)
    return {
        "f1_micro": _share(2 * all_hits, all_given + all_true),
        "f1_macro": f1[..., occurs].mean(axis=-1) if occurs.any() else np.zeros(sums.shape[:-1]),
        "exact_match": _share(sums[..., -2], sums[..., -1]),
        "precision_micro": _share(all_hits, all_given),
        "recall_micro": _share(all_hits, all_true),
        "precision": _share(hits, given),
        "recall": _share(hits, true),
        "f1": f1,
    }


def _share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)
    return quotient


def _by_label(
    point: Mapping[str, np.ndarray], ends: Mapping[str, np.ndarray], gold: np.ndarray, labels: Sequence[str]
) -> pd.DataFrame:
    rows = [
        (label, name, point[name][0, n], ends[name][0, n], ends[name][1, n], int(gold[:, n].sum()))
        for n, label in enumerate(labels)
        for name in ("precision", "recall", "f1")
    ]
    return pd.DataFrame(rows, columns=["label", "metric", "value", "low", "high", "rows"])
