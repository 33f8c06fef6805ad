"""Classification metrics with bootstrap intervals, all computed from the confusion matrix."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from lmcore.tasks.figures import Scores
from lmcore.tasks.resampling import RESAMPLES
from lmcore.tasks.tally import Tally


def score_classes(
    gold: np.ndarray,
    predicted: np.ndarray,
    labels: Sequence[str],
    *,
    seed: int = 0,
    without: Collection[str] | None = None,
) -> Scores:
    """Compare class indices.

    Resampling rows with replacement changes the confusion matrix exactly as a multinomial draw of its cells does,
    so that the percentile bootstrap (Efron 1979) needs no loop over rows.

    Args:
        gold: true class indices, shape (rows,).
        predicted: predicted class indices, shape (rows,).
        labels: class names, in the order of the indices.
        seed: of the resampling.
        without: classes that stand for nothing in particular (``Other``) and are left out of the averages; where this is
            given, even empty, a micro F1 over the classes that are left is measured too.

    Returns:
        Accuracy, macro and per-class precision, recall and F1, each 0 to 1 (0 where it is undefined) with its
        95 % interval; tables ``by_class`` (a row for each class and metric) and ``confusion`` (a row a cell).
        Macro averages run over the classes that occur in ``gold`` or ``predicted``.
    """
    k, kept = len(labels), _kept(labels, without)
    confusion = np.bincount(gold * k + predicted, minlength=k * k).reshape(k, k)
    draws = np.random.default_rng(seed).multinomial(len(gold), confusion.ravel() / max(len(gold), 1), size=RESAMPLES)
    point = _from_confusion(confusion[None], confusion, kept)
    spread = _from_confusion(draws.reshape(-1, k, k), confusion, kept)
    low_high = {name: np.percentile(values, [2.5, 97.5], axis=0) for name, values in spread.items()}
    overall = [name for name, values in point.items() if values.ndim == 1]
    return Scores(
        metrics={name: float(point[name][0]) for name in overall},
        intervals={name: (float(low_high[name][0]), float(low_high[name][1])) for name in overall},
        tables={"by_class": _by_class(point, low_high, confusion, labels), "confusion": _cells(confusion, labels)},
    )


def measure_classes(
    gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str], *, without: Collection[str] | None = None
) -> dict[str, float]:
    """Return the overall metrics of `score_classes`, each 0 to 1, without intervals."""
    k = len(labels)
    confusion = np.bincount(gold * k + predicted, minlength=k * k).reshape(k, k)
    point = _from_confusion(confusion[None], confusion, _kept(labels, without))
    return {name: float(values[0]) for name, values in point.items() if values.ndim == 1}


def _kept(labels: Sequence[str], without: Collection[str] | None) -> np.ndarray | None:
    return None if without is None else np.array([label not in without for label in labels])


def tally_classes(gold: Sequence[str], predicted: Sequence[str], without: Collection[str] | None = None) -> Tally:
    """Return the tally of classes: for each class whether a row is one, is taken for one, and is so rightly.

    Args:
        gold: true classes, one a row.
        predicted: predicted classes, one a row.
        without: classes that the averages leave out; where it is given, a micro F1 is added.
    """
    labels = np.unique([*gold, *predicted])
    is_gold = np.asarray(gold)[:, None] == labels
    is_predicted = np.asarray(predicted)[:, None] == labels
    rows = np.hstack([is_gold & is_predicted, is_gold, is_predicted]).astype(float)
    everywhere = np.ones(len(labels), dtype=bool)

    def read(sums: np.ndarray) -> dict[str, np.ndarray]:
        hits, gold, predicted = np.split(sums, 3, axis=-1)
        found = _from_counts(hits, gold, predicted, everywhere, _kept(labels.tolist(), without))
        return {name: values for name, values in found.items() if name not in {"precision", "recall", "f1"}}

    return Tally(rows, read)


def _from_confusion(confusion: np.ndarray, seen: np.ndarray, kept: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return metrics of stacked matrices (draws, gold, predicted), averaged over the classes of ``seen``."""
    hits = np.diagonal(confusion, axis1=1, axis2=2).astype(float)
    occurs = (seen.sum(axis=0) + seen.sum(axis=1)) > 0
    return _from_counts(hits, confusion.sum(axis=2), confusion.sum(axis=1), occurs, kept)


def _from_counts(
    hits: np.ndarray, gold: np.ndarray, predicted: np.ndarray, occurs: np.ndarray, kept: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return metrics of counts by class, each (…, classes); averages run over the classes that ``occurs`` marks.

    Where ``kept``, bool of shape (classes,), is given, averages are over those classes alone, and a micro F1 is added.
    """
    by_class = {
        "precision": _divide(hits, predicted),
        "recall": _divide(hits, gold),
        "f1": _divide(2 * hits, gold + predicted),
    }
    if kept is not None:
        occurs = occurs & kept
    averages = {
        f"{name}_macro": values[..., occurs].mean(axis=-1) if occurs.any() else np.zeros(values.shape[:-1])
        for name, values in by_class.items()
    }
    if kept is not None:
        right, both = (part[..., kept].sum(axis=-1) for part in (hits, gold + predicted))
        averages["f1_micro"] = _divide(2 * right, both)
    return {"accuracy": _divide(hits.sum(axis=-1), gold.sum(axis=-1)), **averages, **by_class}


def _divide(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)
    return quotient


def _by_class(
    point: dict[str, np.ndarray], low_high: dict[str, np.ndarray], confusion: np.ndarray, labels: Sequence[str]
) -> pd.DataFrame:
    rows = [
        (label, name, point[name][0, n], low_high[name][0, n], low_high[name][1, n], int(confusion[n].sum()))
        for n, label in enumerate(labels)
        for name in ("precision", "recall", "f1")
    ]
    return pd.DataFrame(rows, columns=["label", "metric", "value", "low", "high", "rows"])


def _cells(confusion: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    rows = [(g, p, int(confusion[i, j])) for i, g in enumerate(labels) for j, p in enumerate(labels)]
    return pd.DataFrame(rows, columns=["gold", "predicted", "rows"])
