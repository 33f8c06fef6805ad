"""How alike two rankings are."""

import numpy as np


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's rank correlation, −1 to 1; not a number for fewer than three values, or where all are the same."""
    from scipy.stats import rankdata

    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def chance_correlation(count: int) -> float:
    """Return the size that the rank correlation of two random rankings has at most, 95 times in 100; 0 to 1.

    Args:
        count: values that are ranked; 1.96 / √(count − 1) is the large-sample figure (Hotelling & Pabst 1936).
    """
    return min(1.0, 1.96 / np.sqrt(count - 1)) if count > 1 else 1.0
