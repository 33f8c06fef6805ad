"""Integrated gradients (Sundararajan, Taly & Yan 2017), with as many points as each input needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmcore.analysis.quadrature import embedding_path, gauss_legendre

if TYPE_CHECKING:
    import torch

    # Values (rows,) of a batch (rows, tokens, features), given each row's path number and number of real tokens.
    Function = Callable[[torch.Tensor, np.ndarray, np.ndarray], torch.Tensor]

FIRST_PANELS = 6
AGREEMENT = 0.1
_SMALL = 1e-9
_BATCH_TOKENS = 2048


@dataclass(frozen=True, eq=False)
class Path:
    """One input on its way from a baseline.

    Attributes:
        x: the input, a tensor of shape (tokens, features).
        baseline: where the way begins, of the same shape.
    """

    x: "torch.Tensor"
    baseline: "torch.Tensor"


@dataclass(frozen=True, eq=False)
class PathScores:
    """What was found along one way.

    Attributes:
        scores: signed contribution of each token, float64 of shape (tokens,).
        value: the function at the input.
        baseline_value: the function at the baseline.
        completeness_error: |sum of the scores − (value − baseline_value)| / |value − baseline_value|.
        steps: how many points the function was differentiated at.
    """

    scores: np.ndarray
    value: float
    baseline_value: float
    completeness_error: float
    steps: int


@dataclass(frozen=True, eq=False)
class _Slopes:
    """What is known at some points of one way, in their order.

    Attributes:
        values: the function, shape (points,).
        shares: gradient · (x − baseline) of each token, shape (points, tokens).
    """

    values: np.ndarray
    shares: np.ndarray

    def refined(self, between: "_Slopes") -> "_Slopes":
        """Return these points with the new ones, each of which lies between two old ones."""
        values = np.empty(len(self.values) + len(between.values))
        shares = np.empty((len(values), self.shares.shape[1]))
        values[::2], values[1::2] = self.values, between.values
        shares[::2], shares[1::2] = self.shares, between.shares
        return _Slopes(values, shares)


def integrated_gradients(
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
            tokens, and returns a value for each row.
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
    found = _differentiate(function, paths, everywhere, points)
    ends = _values_at_ends(function, paths)
    return [_scores(weights @ found[n].shares, *ends[n], steps=len(points)) for n in everywhere]


def _until_complete(function: "Function", paths: Sequence[Path], tolerance: float, max_steps: int) -> list[PathScores]:
    points, _ = embedding_path(FIRST_PANELS)
    known = _differentiate(function, paths, range(len(paths)), points)
    results: dict[int, PathScores] = {}
    panels, unsettled = FIRST_PANELS, list(range(len(paths)))
    while True:
        _, weights = embedding_path(panels)
        earlier = {n: results.get(n) for n in unsettled}
        for n in unsettled:
            values = known[n].values
            results[n] = _scores(weights @ known[n].shares, values[0], values[-1], steps=panels + 1)
        unsettled = [n for n in unsettled if not _settled(results[n], earlier[n], tolerance)]
        panels *= 2
        if not unsettled or panels + 1 > max_steps:
            return [results[n] for n in range(len(paths))]
        points, _ = embedding_path(panels)
        between = _differentiate(function, paths, unsettled, points[1::2])
        known = {n: known[n].refined(between[n]) for n in unsettled}


def _settled(now: PathScores, before: PathScores | None, tolerance: float) -> bool:
    if before is None or now.completeness_error > tolerance:
        return False
    moved = float(np.abs(now.scores - before.scores).sum())
    return moved <= AGREEMENT * float(np.abs(now.scores).sum()) + _SMALL


def _scores(scores: np.ndarray, baseline_value: float, value: float, *, steps: int) -> PathScores:
    difference = float(value) - float(baseline_value)
    missed = abs(float(scores.sum()) - difference)
    return PathScores(scores, float(value), float(baseline_value), missed / max(abs(difference), _SMALL), steps)


def _differentiate(
    function: "Function", paths: Sequence[Path], wanted: Sequence[int], points: np.ndarray
) -> dict[int, _Slopes]:
    """Differentiate at the same points of some paths."""
    import torch

    found = {n: _Slopes(np.empty(len(points)), np.empty((len(points), len(paths[n].x)))) for n in wanted}
    for batch in _batches(paths, wanted, len(points)):
        numbers, places = np.array(batch).T
        lengths = np.array([len(paths[n].x) for n in numbers])
        inputs, ways = _interpolate(paths, numbers, points[places])
        inputs.requires_grad_(True)
        with torch.enable_grad():
            values = function(inputs, numbers, lengths)
            (gradient,) = torch.autograd.grad(values.sum(), inputs)
        shares = (gradient * ways).sum(dim=-1).double().cpu().numpy()
        for n, place, value, share in zip(numbers, places, values.tolist(), shares, strict=True):
            found[n].values[place] = value
            found[n].shares[place] = share[: len(paths[n].x)]
    return found


def _values_at_ends(function: "Function", paths: Sequence[Path]) -> list[tuple[float, float]]:
    """Return the function at each path's baseline and at its input."""
    import torch

    ends = np.array([0.0, 1.0])
    values = np.empty((len(paths), 2))
    for batch in _batches(paths, range(len(paths)), 2):
        numbers, places = np.array(batch).T
        lengths = np.array([len(paths[n].x) for n in numbers])
        with torch.inference_mode():
            inputs, _ = _interpolate(paths, numbers, ends[places])
            values[numbers, places] = function(inputs, numbers, lengths).double().cpu().numpy()
    return [(float(baseline), float(value)) for baseline, value in values]


def _batches(paths: Sequence[Path], wanted: Sequence[int], points: int) -> list[list[tuple[int, int]]]:
    """Cut (path, point) pairs, sorted by length, into batches of a bounded number of tokens."""
    batches: list[list[tuple[int, int]]] = []
    for n in sorted(wanted, key=lambda n: len(paths[n].x)):
        for place in range(points):
            if not batches or (len(batches[-1]) + 1) * len(paths[n].x) > _BATCH_TOKENS:
                batches.append([])
            batches[-1].append((n, place))
    return batches


def _interpolate(paths: Sequence[Path], numbers: np.ndarray, points: np.ndarray) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the inputs of a batch and its ways x − baseline, both (rows, tokens, features) and padded with zeros."""
    import torch

    distinct, rows = np.unique(numbers, return_inverse=True)
    device = paths[distinct[0]].x.device
    starts = torch.nn.utils.rnn.pad_sequence([paths[n].baseline for n in distinct], batch_first=True)
    ends = torch.nn.utils.rnn.pad_sequence([paths[n].x for n in distinct], batch_first=True)
    chosen = torch.from_numpy(rows).to(device)
    share = torch.from_numpy(points).to(device, starts.dtype)[:, None, None]
    ways = (ends - starts)[chosen]
    return starts[chosen] + share * ways, ways
