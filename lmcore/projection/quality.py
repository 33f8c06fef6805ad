"""How well a map keeps the neighbourhoods of the full space."""

from dataclasses import dataclass

import numpy as np

from lmcore.errors import DataError, OptionError
from lmcore.projection.rows import check_rows, rescale

MAX_ROWS = 4000
_BLOCK_VALUES = 2_000_000
_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class ProjectionQuality:
    """How far the neighbourhoods on a map are those of the full space.

    Attributes:
        trustworthiness: 0 to 1; 1 where neighbours on the map are neighbours in the full space.
        continuity: 0 to 1; 1 where neighbours in the full space are neighbours on the map.
        neighbors: size of the neighbourhoods that were compared.
        rows: number of rows whose neighbourhoods were compared; fewer than there are where a sample was taken.
    """

    trustworthiness: float
    continuity: float
    neighbors: int
    rows: int


def projection_quality(
    x: np.ndarray, z: np.ndarray, *, neighbors: int = 15, max_rows: int = MAX_ROWS, seed: int = 0
) -> ProjectionQuality:
    """Measure trustworthiness and continuity of a map (Venna & Kaski 2001), by Euclidean distance.

    Above ``max_rows`` rows, the mean runs over a random sample of them, each still ranked among all rows: an
    unbiased estimate of the whole. Rows at the same distance share the better rank. Memory is bounded whatever
    the number of rows.

    Args:
        x: the full space, shape (rows, features).
        z: the map, shape (rows, dimensions).
        neighbors: size of the neighbourhoods, from 1 and below half the rows.
        max_rows: the most rows whose neighbourhoods are compared.
        seed: seed of the sample.

    Raises:
        DataError: the arrays are not of as many rows, or cannot be used.
        OptionError: ``neighbors`` or ``max_rows`` is out of range.
    """
    full, flat = rescale(check_rows(x))[0], rescale(check_rows(z, "points of the map"))[0]
    n = len(full)
    if len(flat) != n:
        raise DataError(f"The representations have {n} rows and the map {len(flat)}: give the same rows in both.")
    if not 1 <= neighbors < n / 2:
        raise OptionError(f"The option neighbors is {neighbors}: give at least 1 and fewer than half of the {n} rows.")
    if max_rows < 1:
        raise OptionError(f"The option max_rows is {max_rows}: give at least 1.")
    picked = np.arange(n)
    if n > max_rows:
        picked = np.sort(np.random.default_rng(seed).choice(n, max_rows, replace=False))
    intruders = missing = 0
    for block in np.array_split(picked, -(-len(picked) * n // _BLOCK_VALUES)):
        in_full, in_map = _Distances.of(full, block), _Distances.of(flat, block)
        intruders += _excess_ranks(in_full, in_map.nearest(neighbors))
        missing += _excess_ranks(in_map, in_full.nearest(neighbors))
    worst = len(picked) * neighbors * (2 * n - 3 * neighbors - 1) / 2
    return ProjectionQuality(1 - intruders / worst, 1 - missing / worst, neighbors, len(picked))


@dataclass(frozen=True, eq=False)
class _Distances:
    """Squared distances from the rows of a block to all rows, infinite to themselves, and their rounding errors."""

    values: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, block: np.ndarray) -> "_Distances":
        squares = np.einsum("ij,ij->i", points, points)
        sums = squares[block, None] + squares
        values = sums - 2 * points[block] @ points.T
        values[np.arange(len(block)), block] = np.inf
        return cls(values, _ROUNDING * sums)

    def nearest(self, count: int) -> np.ndarray:
        chosen: np.ndarray = np.argpartition(self.values, count - 1, axis=1)[:, :count]
        return chosen


def _excess_ranks(space: _Distances, chosen: np.ndarray) -> int:
    """Sum how far rows that were chosen as neighbours elsewhere lie outside the neighbourhood in this space.

    Rows whose distances differ by no more than rounding are tied: without that, a heap of identical rows would be
    ranked by noise.
    """
    limits = np.take_along_axis(space.values - space.errors, chosen, axis=1)
    ranks = np.stack([np.count_nonzero(space.values < limit[:, None], axis=1) + 1 for limit in limits.T])
    return int(np.maximum(ranks - chosen.shape[1], 0).sum())
