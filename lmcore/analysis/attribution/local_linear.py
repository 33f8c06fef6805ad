"""LIME (Ribeiro, Singh & Guestrin 2016): a linear model of what happens around the text."""

import numpy as np

from lmcore.analysis.attribution.games import Game, Scores, Tree


def lime(tree: Tree, *, samples: int, width: float, penalty: float, seed: int) -> Game:
    """Score each unit by its weight in a ridge regression over texts with some units taken away.

    Each text lacks a random number of units; it counts by exp(−d² / 2 width²), d being its cosine distance from the
    whole text times 100, as in the authors' implementation.

    Args:
        tree: the units.
        samples: texts that are drawn, the whole one included.
        width: of the kernel; 25 in the authors' implementation.
        penalty: of the ridge regression.
        seed: of the draws.
    """
    from sklearn.linear_model import Ridge

    kept = _draw(len(tree.units), samples, np.random.default_rng(seed))
    values = yield kept
    cosine = np.sqrt(kept.mean(axis=1))
    weights = np.exp(-((100 * (1 - cosine)) ** 2) / (2 * width**2))
    fit = Ridge(alpha=penalty).fit(kept.astype(np.float64), values, sample_weight=weights)
    return Scores(np.asarray(fit.coef_).reshape(values.shape[1], -1).T, adds_up=False)


def lime_calls(tree: Tree, *, samples: int, width: float, penalty: float, seed: int) -> int:
    """Return the number of texts that are drawn, at most."""
    return int(min(samples, 2 ** min(len(tree.units), 40)))


def _draw(units: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return what is kept of each text, bool of shape (samples, units): all of it first."""
    kept = np.ones((samples, units), dtype=bool)
    for row in kept[1:]:
        row[rng.choice(units, size=int(rng.integers(1, units + 1)), replace=False)] = False
    return kept
