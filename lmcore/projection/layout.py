"""What one projection method returns, and the preparation that the neighbour-based ones share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmcore.projection.rows import distinct_rows, rescale, unit_rows


@dataclass(frozen=True, eq=False)
class Layout:
    """Points of a map before they are given ids.

    Attributes:
        points: shape (rows, dimensions).
        effective: options whose value had to differ from what was asked.
        explained_variance: share of the variance along each axis, for PCA alone.
    """

    points: np.ndarray
    effective: Mapping[str, Any] = field(default_factory=dict)
    explained_variance: tuple[float, ...] | None = None


def distinct_neighbourhood(rows: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the different rows as float32, centred and scaled, and for every row which of them it is.

    Identical rows have identical neighbourhoods, so a method that keeps neighbourhoods owes them one point. Given
    apart, they crash t-SNE (its starting positions divide by a spread of zero) and tie up all of a row's neighbours
    in UMAP. Merging them needs no noise whose size would have to be chosen.
    """
    prepared = unit_rows(rows) if metric == "cosine" else rows
    return distinct_rows(rescale(prepared)[0].astype(np.float32))
