"""The bootstrap over rows for figures that are made from sums over rows."""

import numpy as np

RESAMPLES = 1000
_CELLS = 1 << 24


def resampled_sums(counts: np.ndarray, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Sum per-row counts over rows that are drawn with replacement (Efron 1979).

    Rows with the same counts are drawn together, as one multinomial draw, so that no loop over rows is needed.

    Args:
        counts: numbers of shape (rows, columns).
        seed: of the draws.
        resamples: how many.

    Returns:
        float64 of shape (resamples, columns).
    """
    rng = np.random.default_rng(seed)
    rows = len(counts)
    if not rows:
        return np.zeros((resamples, counts.shape[1]))
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    block = max(1, _CELLS // len(kinds))
    drawn = [
        rng.multinomial(rows, times / rows, size=min(block, resamples - start)).astype(float) @ kinds
        for start in range(0, resamples, block)
    ]
    return np.concatenate(drawn)
