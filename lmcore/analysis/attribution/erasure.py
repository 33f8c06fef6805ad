"""Taking stretches away: occlusion with a sliding window (Zeiler & Fergus 2014), and leave-one-out (Li et al. 2016)."""

import numpy as np

from lmcore.analysis.attribution.games import Game, Scores, Tree


def occlusion(tree: Tree, *, window: int, stride: int) -> Game:
    """Score each unit by how much the output falls without the windows that cover it, on average.

    Args:
        tree: the units.
        window: units that are taken away at once.
        stride: units from the beginning of one window to that of the next, at most ``window``.
    """
    covered = _windows(len(tree.units), window, stride)
    values = yield np.vstack([np.ones((1, covered.shape[1]), dtype=bool), ~covered])
    falls = values[0] - values[1:]
    return Scores((covered.T @ falls) / covered.sum(axis=0)[:, None], adds_up=False)


def occlusion_calls(tree: Tree, *, window: int, stride: int) -> int:
    """Return how many windows there are."""
    return len(_windows(len(tree.units), window, stride))


def leave_one_out(tree: Tree) -> Game:
    """Score each unit by how much the output falls without it alone."""
    return (yield from occlusion(tree, window=1, stride=1))


def leave_one_out_calls(tree: Tree) -> int:
    """Return the number of units."""
    return len(tree.units)


def _windows(units: int, window: int, stride: int) -> np.ndarray:
    """Return which units each window covers, bool of shape (windows, units); the last one may stand over the end."""
    stride = min(stride, window)
    count = 1 + max(0, -(-(units - window) // stride))
    places = np.arange(units)[None, :] - stride * np.arange(count)[:, None]
    found: np.ndarray = (places >= 0) & (places < window)
    return found
