"""The bootstrap of rows (Efron 1979), and the intervals that come of it."""

from collections.abc import Iterator

import numpy as np

RESAMPLES = 1000
MOST_RESAMPLES = 10_000
_BUDGET = 5_000_000
_CHUNK = 4_000_000


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
    chunk = max(1, _CHUNK // rows)
    share = np.full(rows, 1 / rows)
    for start in range(0, resamples, chunk):
        yield rng.multinomial(rows, share, size=min(chunk, resamples - start)).astype(float)


def resampled_sums(rows: np.ndarray, *, seed: int) -> np.ndarray:
    """Return sums over bootstrap resamples of rows (Efron 1979).

    Resampling rows with replacement changes the sums exactly as a multinomial draw of the distinct rows does, so that
    there is no loop over rows. Statistics that stand side by side in ``rows`` get the same draws: a difference of two
    of them is a paired one.

    Args:
        rows: what each row adds, shape (rows, statistics); without any row the sums are 0.
        seed: of the draws.

    Returns:
        Shape (resamples, statistics); 10 000 resamples, down to 1 000 where there are many distinct rows.
    """
    if not len(rows):
        return np.zeros((RESAMPLES, rows.shape[1]))
    cells, counts = np.unique(rows, axis=0, return_counts=True)
    resamples = int(np.clip(_BUDGET // len(cells), RESAMPLES, MOST_RESAMPLES))
    rng = np.random.default_rng(seed)
    sums = np.empty((resamples, rows.shape[1]))
    step = max(1, _CHUNK // len(cells))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        sums[start:stop] = rng.multinomial(len(rows), counts / len(rows), size=stop - start) @ cells
    return sums


def mean_intervals(values: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the ends of the 95 % percentile interval of each column's mean, float64 of shape (2, columns)."""
    means = resampled_sums(values, seed=seed) / len(values)
    ends: np.ndarray = np.percentile(means, [2.5, 97.5], axis=0)
    return ends


def middle(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the stretch that holds the middle share of values; (nan, nan) where there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson(hits: float, rows: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927); unlike the bootstrap it has a width where all or none are hits."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    share = hits / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    return max(0.0, centre - half), min(1.0, centre + half)
