"""Precision, recall and F1 of labelled stretches, as conlleval and seqeval count them, with bootstrap intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.tasks.resampling import middle, resampled_sums
from lmcore.tasks.tally import Tally
from lmcore.types import Span

FIGURES = ("precision", "recall", "f1")
COUNTS = ("right", "found", "wanted")


@dataclass(frozen=True, eq=False)
class SpanCounts:
    """Counts of stretches by row and type.

    Attributes:
        kinds: the types that occur, sorted.
        right: found with the right type and ends, int64 of shape (rows, kinds).
        found: found at all, of the same shape.
        gold: there to be found, of the same shape.
    """

    kinds: tuple[str, ...]
    right: np.ndarray
    found: np.ndarray
    gold: np.ndarray

    def flat(self) -> np.ndarray:
        """Return right, found and gold side by side, int64 of shape (rows, 3 × kinds)."""
        return np.concatenate([self.right, self.found, self.gold], axis=1)


def count_spans(gold: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]]) -> SpanCounts:
    """Count stretches; one is right where type, start and end are."""
    kinds = tuple(sorted({span.label for rows in (gold, found) for row in rows for span in row}))
    index = {kind: number for number, kind in enumerate(kinds)}
    counts = np.zeros((3, len(gold), len(kinds)), dtype=np.int64)
    for number, (wanted, given) in enumerate(zip(gold, found, strict=True)):
        keys = [{(span.start, span.end, span.label) for span in spans} for spans in (wanted, given)]
        for layer, chosen in enumerate((keys[0] & keys[1], keys[1], keys[0])):
            for *_, label in chosen:
                counts[layer, number, index[label]] += 1
    return SpanCounts(kinds, *counts)


def measure_spans(counts: SpanCounts) -> dict[str, float]:
    """Return precision, recall and F1 over all stretches (micro averages), 0 to 1; 0 where undefined."""
    return {name: float(value) for name, value in _figures(*(_total(counts.flat(), counts))).items()}


def span_intervals(counts: SpanCounts, sums: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile intervals of the same figures.

    Args:
        counts: what was counted.
        sums: resampled sums of `SpanCounts.flat`, shape (resamples, 3 × kinds).
    """
    parts = np.split(sums, 3, axis=1)
    spread = _figures(*(part.sum(axis=1) for part in parts))
    return {name: middle(values) for name, values in spread.items()}


def span_tables(counts: SpanCounts, sums: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return the table ``by_class`` by its name; none where there was no stretch, neither to be found nor found."""
    return {"by_class": spans_by_class(counts, sums)} if counts.kinds else {}


def spans_by_class(counts: SpanCounts, sums: np.ndarray) -> pd.DataFrame:
    """Return ``label``, ``metric``, ``value``, ``low``, ``high`` and ``rows`` (stretches to be found) of each type."""
    point = _figures(*np.split(counts.flat().sum(axis=0), 3))
    spread = _figures(*np.split(sums, 3, axis=1))
    gold = counts.gold.sum(axis=0)
    rows = [
        (kind, name, float(point[name][n]), *middle(spread[name][:, n]), int(gold[n]))
        for n, kind in enumerate(counts.kinds)
        for name in FIGURES
    ]
    return pd.DataFrame(rows, columns=["label", "metric", "value", "low", "high", "rows"])


def span_sums(counts: SpanCounts, *, seed: int) -> np.ndarray:
    """Return `SpanCounts.flat` summed over resampled rows, shape (resamples, 3 × kinds)."""
    return resampled_sums(counts.flat(), seed=seed)


def span_columns(counts: SpanCounts) -> dict[str, np.ndarray]:
    """Return for each row how many stretches are right, were found and were wanted, int64 by the names in `COUNTS`."""
    return {
        name: part.sum(axis=1) for name, part in zip(COUNTS, (counts.right, counts.found, counts.gold), strict=True)
    }


def tally_spans(table: pd.DataFrame) -> Tally:
    """Return the tally of a table with the columns of `span_columns`: F1, precision and recall over all stretches.

    They are NaN where rows hold no stretch, neither one to be found nor one that was: such rows say nothing.
    """
    return Tally(table[list(COUNTS)].to_numpy(dtype=float), _micro)


def _micro(sums: np.ndarray) -> dict[str, np.ndarray]:
    right, found, wanted = np.moveaxis(sums, -1, 0)
    known = _figures(right, found, wanted)
    return {name: np.where(found + wanted > 0, known[name], np.nan) for name in ("f1", "precision", "recall")}


def _total(flat: np.ndarray, counts: SpanCounts) -> list[np.ndarray]:
    size = len(counts.kinds)
    return [np.asarray(flat[:, start : start + size].sum()) for start in (0, size, 2 * size)]


def _figures(right: np.ndarray, found: np.ndarray, gold: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "precision": _divide(right, found),
        "recall": _divide(right, gold),
        "f1": _divide(2 * right, found + gold),
    }


def _divide(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    top, bottom = np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    quotient: np.ndarray = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    return quotient
