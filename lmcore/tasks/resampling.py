"""The bootstrap of rows: weights that say how often each row was drawn, and what sums over the rows then are."""

from collections.abc import Iterator

import numpy as np

RESAMPLES = 1000
_CELLS = 4_000_000


def row_weights(rows: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Yield how often each row is drawn when as many rows as there are are drawn with replacement.

    Args:
        rows: their number, 1 or more.
        seed: of the draws.
        resamples: how many draws there are altogether.

    Yields:
        float64 of shape (some, rows); memory does not grow with the number of resamples.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // rows)
    share = np.full(rows, 1 / rows)
    for start in range(0, resamples, chunk):
        yield rng.multinomial(rows, share, size=min(chunk, resamples - start)).astype(float)


def resampled_sums(statistics: np.ndarray, *, seed: int) -> np.ndarray:
    """Return column sums over resampled rows.

    Args:
        statistics: a line for each row, of shape (rows, statistics).
        seed: of the draws.

    Returns:
        float64 of shape (resamples, statistics).
    """
    return np.concatenate([weights @ statistics for weights in row_weights(len(statistics), seed=seed)])


def mean_intervals(values: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the ends of the 95 % percentile interval of each column's mean, float64 of shape (2, columns)."""
    means = resampled_sums(values, seed=seed) / len(values)
    ends: np.ndarray = np.percentile(means, [2.5, 97.5], axis=0)
    return ends
