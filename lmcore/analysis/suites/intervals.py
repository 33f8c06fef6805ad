"""The interval of a share over cases of which several may come of one row."""

import numpy as np

from lmcore.tasks.resampling import wilson


def effective_cases(hits: np.ndarray, groups: np.ndarray) -> float:
    """Return how many independent cases say as much as these (Kish 1965; corrected for few rows by Korn & Graubard 1998).

    Args:
        hits: whether each case is one, bool of shape (cases,).
        groups: which row each case comes from, of any kind, shape (cases,).

    Returns:
        At most the number of cases; the number of rows where all or none are hits, since how alike cases of a row are cannot be
        seen then.
    """
    from scipy.stats import norm, t

    _, places = np.unique(groups, return_inverse=True)
    sizes = np.bincount(places).astype(float)
    rows, cases, share = len(sizes), float(len(hits)), float(np.mean(hits))
    if rows == cases or rows == 1:
        return float(rows)
    if share in (0.0, 1.0):
        return float(rows)
    sums = np.bincount(places, weights=np.asarray(hits, float))
    variance = rows / (rows - 1) * float(((sums - share * sizes) ** 2).sum()) / cases**2
    worth = min(cases, share * (1 - share) / variance) if variance > 0 else cases
    return max(1.0, float(worth * (norm.ppf(0.975) / t.ppf(0.975, rows - 1)) ** 2))


def share_interval(hits: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Return a share and its 95 % interval (Wilson 1927, with the effective number of cases); not-a-numbers without cases."""
    if not len(hits):
        return float("nan"), float("nan"), float("nan")
    share, cases = float(np.mean(hits)), effective_cases(hits, groups)
    low, high = wilson(share * cases, cases)
    return share, low, high
