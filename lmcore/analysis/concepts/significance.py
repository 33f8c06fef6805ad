"""Whether a figure is beyond what sets drawn at random give, for one figure and for many."""

import numpy as np


def two_sided(value: float, by_chance: np.ndarray) -> float:
    """Return how often chance is at least as far from 0, the value itself counted as one of the draws (Phipson & Smyth 2010).

    Args:
        value: the figure.
        by_chance: the same figure for random sets, shape (sets,).

    Returns:
        Above 0, at most 1; where the set of the value is one drawn like the others, at most p in a share p of cases.
    """
    beyond = int((np.abs(by_chance) >= abs(value) * (1 - 1e-12)).sum())
    return (1 + beyond) / (1 + len(by_chance))


def bonferroni(p: np.ndarray) -> np.ndarray:
    """Return p-values multiplied by their number, at most 1: the chance of any false finding is kept."""
    found: np.ndarray = np.minimum(np.asarray(p, dtype=float) * len(p), 1.0)
    return found


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted so that the expected share of false findings is kept (Benjamini & Hochberg 1995)."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return found
