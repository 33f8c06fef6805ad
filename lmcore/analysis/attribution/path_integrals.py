"""Integrated gradients (Sundararajan, Taly & Yan 2017), with as many points as each input needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmcore.analysis.attribution.paths import (
    SMALL,
    Path,
    PathScores,
    Slopes,
    differentiate,
    path_scores,
    values_at_ends,
)
from lmcore.analysis.attribution.quadrature import embedding_path, gauss_legendre

if TYPE_CHECKING:
    from lmcore.analysis.attribution.paths import Function

__all__ = ["Path", "PathScores", "input_x_gradient", "integrate_paths"]

FIRST_PANELS = 6
AGREEMENT = 0.1


def integrate_paths(
    function: "Function",
    paths: Sequence[Path],
    *,
    steps: int | None = None,
    tolerance: float = 0.01,
    max_steps: int = 256,
) -> list[PathScores]:
    """Integrate a function's gradient along each path.

    With ``steps``, that many Gauss–Legendre points are used. Without, nested points are doubled, path by path, until the
    completeness error is at most ``tolerance`` and the scores of the last two rounds agree to a tenth: a sum can be right
    by accident, all scores hardly.

    Args:
        function: takes a padded batch (rows, tokens, features), the path number of each row and its number of real
            tokens, and returns a value for each row, or several.
        paths: the inputs.
        steps: a fixed number of points, or None.
        tolerance: the completeness error to aim at.
        max_steps: most points where it is not reached.
    """
    if steps is None:
        return _until_complete(function, paths, tolerance, max_steps)
    points, weights = gauss_legendre(steps)
    return _at_points(function, paths, points, weights)


def input_x_gradient(function: "Function", paths: Sequence[Path]) -> list[PathScores]:
    """Multiply the gradient at the input with the step from the baseline (Shrikumar et al. 2016)."""
    return _at_points(function, paths, np.ones(1), np.ones(1))


def _at_points(
    function: "Function", paths: Sequence[Path], points: np.ndarray, weights: np.ndarray
) -> list[PathScores]:
    everywhere = range(len(paths))
    found = differentiate(function, paths, everywhere, points)
    ends = values_at_ends(function, paths)
    return [path_scores(_weighted(weights, found[n]), *ends[n], steps=len(points)) for n in everywhere]


def _until_complete(function: "Function", paths: Sequence[Path], tolerance: float, max_steps: int) -> list[PathScores]:
    points, _ = embedding_path(FIRST_PANELS)
    known = differentiate(function, paths, range(len(paths)), points)
    results: dict[int, PathScores] = {}
    panels, unsettled = FIRST_PANELS, list(range(len(paths)))
    while True:
        _, weights = embedding_path(panels)
        earlier = {n: results.get(n) for n in unsettled}
        for n in unsettled:
            values = known[n].values
            results[n] = path_scores(_weighted(weights, known[n]), values[0], values[-1], steps=panels + 1)
        unsettled = [n for n in unsettled if not _settled(results[n], earlier[n], tolerance)]
        panels *= 2
        if not unsettled or panels + 1 > max_steps:
            return [results[n] for n in range(len(paths))]
        points, _ = embedding_path(panels)
        between = differentiate(function, paths, unsettled, points[1::2])
        known = {n: known[n].refined(between[n]) for n in unsettled}


def _settled(now: PathScores, before: PathScores | None, tolerance: float) -> bool:
    if before is None or not np.all(now.completeness_error <= tolerance):
        return False
    moved = np.abs(now.scores - before.scores).sum(axis=-1)
    return bool(np.all(moved <= AGREEMENT * np.abs(now.scores).sum(axis=-1) + SMALL))


def _weighted(weights: np.ndarray, slopes: Slopes) -> np.ndarray:
    found: np.ndarray = np.tensordot(weights, slopes.shares, 1)
    return found
