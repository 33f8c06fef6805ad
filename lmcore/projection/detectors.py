"""The outlier scores: each takes float64 rows and returns a score for each row, higher being farther out."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmcore.projection.rows import distinct_rows, rescale, unit_rows


@dataclass(frozen=True, eq=False)
class RowScores:
    """One score for each row, and the options whose value had to differ from what was asked."""

    scores: np.ndarray
    effective: Mapping[str, Any] = field(default_factory=dict)


def knn_distance(rows: np.ndarray, *, neighbors: int, metric: str) -> RowScores:
    """Score rows by the mean distance to their nearest rows (Angiulli & Pizzuti 2002).

    Returns:
        Distances from 0: in the units of the rows for ``euclidean``; for ``cosine`` between rows scaled to length 1,
        at most 2.
    """
    from sklearn.neighbors import NearestNeighbors

    scaled, scale = rescale(unit_rows(rows) if metric == "cosine" else rows)
    neighbors = min(neighbors, len(rows) - 1)
    distances = NearestNeighbors(n_neighbors=neighbors).fit(scaled).kneighbors()[0]
    return RowScores(distances.mean(axis=1) * scale, {"neighbors": neighbors})


def local_outlier_factor(rows: np.ndarray, *, neighbors: int, metric: str) -> RowScores:
    """Score rows by their local outlier factor (Breunig et al. 2000).

    Neighbourhoods are counted over different rows, as the paper has it for data with duplicates: a heap of
    identical rows has no density, and whatever lies near it would get a score without bounds.

    Returns:
        Factors from 0: about 1 is ordinary, more is farther out.
    """
    from sklearn.neighbors import LocalOutlierFactor

    different, of_row = distinct_rows(rescale(unit_rows(rows) if metric == "cosine" else rows)[0])
    neighbors = min(neighbors, len(different) - 1)
    if not neighbors:
        return RowScores(np.ones(len(rows)), {"neighbors": 1})
    with warnings.catch_warnings():
        # Rows that differ by rounding alone still make scikit-learn speak of duplicates.
        warnings.filterwarnings("ignore", "Duplicate values are leading to incorrect results", UserWarning)
        model = LocalOutlierFactor(n_neighbors=neighbors).fit(different)
    return RowScores(-model.negative_outlier_factor_[of_row], {"neighbors": neighbors})


def isolation_forest(rows: np.ndarray, *, trees: int, seed: int) -> RowScores:
    """Score rows with an isolation forest (Liu, Ting & Zhou 2008).

    Returns:
        Scores from 0 to 1: about 0.5 and below is ordinary, more is farther out.
    """
    from sklearn.ensemble import IsolationForest

    scaled = rescale(rows)[0]
    return RowScores(-IsolationForest(n_estimators=trees, random_state=seed).fit(scaled).score_samples(scaled))
