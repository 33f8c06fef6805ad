"""A function and its gradient along straight ways from a baseline to an input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import InputError

if TYPE_CHECKING:
    import torch

    # Values (rows,), or such a tensor for each of several outputs, of a batch (rows, tokens, features), given each row's path
    # number and number of real tokens.
    Function = Callable[[torch.Tensor, np.ndarray, np.ndarray], torch.Tensor | Sequence[torch.Tensor]]
    # Of a gradient and the way x − baseline, both (rows, tokens, features), what each token's share is, (rows, tokens).
    Share = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

SMALL = 1e-9
BATCH_TOKENS = 1024


@dataclass(frozen=True, eq=False)
class Path:
    """One input on its way from a baseline.

    Attributes:
        x: the input, a tensor of shape (tokens, features).
        baseline: where the way begins, of the same shape; or one for each point, (points, tokens, features).
        noise: what is added to the input at each point, (points, tokens, features), or None.
        at_once: how many tokens may go in one pass, all its points together; one point always may.
    """

    x: "torch.Tensor"
    baseline: "torch.Tensor"
    noise: "torch.Tensor | None" = None
    at_once: int = BATCH_TOKENS

    def ends(self, place: int) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return where the way to a point begins and ends, both (tokens, features)."""
        start = self.baseline[place] if self.baseline.dim() == 3 else self.baseline
        return start, self.x if self.noise is None else self.x + self.noise[place]

    @property
    def plain(self) -> bool:
        """Whether every point lies on one way."""
        return self.baseline.dim() == 2 and self.noise is None


@dataclass(frozen=True, eq=False)
class PathScores:
    """What was found along one way; where the function has several outputs, they are the first axis of each array.

    Attributes:
        scores: signed contribution of each token, float64 of shape (tokens,) or (outputs, tokens).
        value: the function at the input.
        baseline_value: the function at the baseline; not a number for a method that has none.
        completeness_error: |sum of the scores − (value − baseline_value)| / |value − baseline_value|; not a number for a
            method whose scores need not sum to that.
        steps: how many points the function was differentiated at.
    """

    scores: np.ndarray
    value: np.ndarray
    baseline_value: np.ndarray
    completeness_error: np.ndarray
    steps: int


@dataclass(frozen=True, eq=False)
class Slopes:
    """What is known at some points of one way, in their order.

    Attributes:
        values: the function, shape (points, …).
        shares: what each token's part in the slope is, shape (points, …, tokens).
    """

    values: np.ndarray
    shares: np.ndarray

    def refined(self, between: "Slopes") -> "Slopes":
        """Return these points with the new ones, each of which lies between two old ones."""
        count = len(self.values) + len(between.values)
        values = np.empty((count, *self.values.shape[1:]))
        shares = np.empty((count, *self.shares.shape[1:]))
        values[::2], values[1::2] = self.values, between.values
        shares[::2], shares[1::2] = self.shares, between.shares
        return Slopes(values, shares)


def along_way(gradient: "torch.Tensor", ways: "torch.Tensor") -> "torch.Tensor":
    """Return gradient · (x − baseline) of each token: the slope along the way."""
    return (gradient * ways).sum(dim=-1)


def path_scores(scores: np.ndarray, baseline_value: np.ndarray, value: np.ndarray, *, steps: int) -> PathScores:
    """Return scores with how far their sum is from the difference of the values."""
    difference = value - baseline_value
    missed = np.abs(scores.sum(axis=-1) - difference)
    return PathScores(scores, value, baseline_value, missed / np.maximum(np.abs(difference), SMALL), steps)


def differentiate(
    function: "Function",
    paths: Sequence[Path],
    wanted: Sequence[int],
    points: np.ndarray,
    share: "Share" = along_way,
) -> dict[int, Slopes]:
    """Differentiate at some points of some paths.

    Args:
        function: what is differentiated.
        paths: the ways.
        wanted: which of them.
        points: from 0 (the baseline) to 1, the same for every path, shape (points,), or (paths, points).
        share: of what each token's part is made.

    Raises:
        InputError: a value or a gradient is not finite.
    """
    points = np.broadcast_to(points, (len(paths), points.shape[-1]))
    found: dict[int, Slopes] = {}
    for batch in _batches(paths, wanted, points.shape[1]):
        numbers, places = np.array(batch).T
        values, shares = _slopes(function, paths, numbers, places, points, share)
        for n, place, value, own in zip(numbers.tolist(), places.tolist(), values, shares, strict=True):
            if n not in found:
                shape = (points.shape[1], *value.shape)
                found[n] = Slopes(np.empty(shape), np.empty((*shape, len(paths[n].x))))
            found[n].values[place] = value
            found[n].shares[place] = own[..., : len(paths[n].x)]
    return found


def values_at_ends(function: "Function", paths: Sequence[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the function at each path's baseline, on average where it has several, and at its input."""
    import torch

    ends: list[list[torch.Tensor]] = [
        [*(path.baseline if path.baseline.dim() == 3 else path.baseline[None]), path.x] for path in paths
    ]
    found = [np.empty(0)] * len(paths)
    order = sorted(range(len(paths)), key=lambda n: len(paths[n].x))
    rows = [(n, place) for n in order for place in range(len(ends[n]))]
    values: dict[tuple[int, int], np.ndarray] = {}
    for chosen in _cut(rows, paths):
        inputs = torch.nn.utils.rnn.pad_sequence([ends[n][place] for n, place in chosen], batch_first=True)
        numbers = np.array([n for n, _ in chosen])
        with torch.inference_mode():
            out = function(inputs, numbers, np.array([len(paths[n].x) for n in numbers]))
        values |= dict(zip(chosen, _numbers(out), strict=True))
    for n in order:
        found[n] = np.stack([values[n, place] for place in range(len(ends[n]))])
    return [(each[:-1].mean(axis=0), each[-1]) for each in found]


def _slopes(
    function: "Function",
    paths: Sequence[Path],
    numbers: np.ndarray,
    places: np.ndarray,
    points: np.ndarray,
    share: "Share",
) -> tuple[np.ndarray, np.ndarray]:
    """Return values (rows, …) and shares (rows, …, tokens) of one batch: one pass forward, one back for each output."""
    import torch

    lengths = np.array([len(paths[n].x) for n in numbers])
    inputs, ways = _interpolate(paths, numbers, places, points)
    inputs.requires_grad_(True)
    with torch.enable_grad():
        values = function(inputs, numbers, lengths)
        columns = [values] if isinstance(values, torch.Tensor) else list(values)
        shares = []
        for n, column in enumerate(columns):
            if not column.requires_grad:  # no row of the batch has this output
                shares.append(torch.zeros(inputs.shape[:2], device=inputs.device))
                continue
            (gradient,) = torch.autograd.grad(column.sum(), inputs, retain_graph=n + 1 < len(columns))
            shares.append(share(gradient, ways).detach())
    given, found = _numbers(values), _numbers(shares[0] if isinstance(values, torch.Tensor) else shares)
    if not (np.isfinite(found).all() and np.isfinite(given).all()):
        raise InputError(
            "The gradient on the way from this baseline is not a finite number: choose another baseline, such as pad."
        )
    return given, found


def _numbers(values: "torch.Tensor | Sequence[torch.Tensor]") -> np.ndarray:
    """Return values as float64; of several tensors, one for each output, the second axis is the outputs'."""
    import torch

    together = values if isinstance(values, torch.Tensor) else torch.stack(list(values), dim=1)
    found: np.ndarray = together.detach().double().cpu().numpy()
    return found


def _batches(paths: Sequence[Path], wanted: Sequence[int], points: int) -> list[list[tuple[int, int]]]:
    """Cut (path, point) pairs, sorted by length, into batches of a bounded number of tokens."""
    rows = [(n, place) for n in sorted(wanted, key=lambda n: len(paths[n].x)) for place in range(points)]
    return _cut(rows, paths)


def _cut(rows: Sequence[tuple[int, int]], paths: Sequence[Path]) -> list[list[tuple[int, int]]]:
    """Cut pairs, the shortest paths first, into batches of as many tokens as may go at once."""
    most = min((path.at_once for path in paths), default=BATCH_TOKENS)
    batches: list[list[tuple[int, int]]] = []
    for row in rows:
        if not batches or (len(batches[-1]) + 1) * len(paths[row[0]].x) > most:
            batches.append([])
        batches[-1].append(row)
    return batches


def _interpolate(
    paths: Sequence[Path], numbers: np.ndarray, places: np.ndarray, points: np.ndarray
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the inputs of a batch and its ways x − baseline, both (rows, tokens, features) and padded with zeros."""
    import torch

    pad = torch.nn.utils.rnn.pad_sequence
    rows = list(zip(numbers.tolist(), places.tolist(), strict=True))
    if all(paths[n].plain for n in set(numbers.tolist())):
        distinct, own = np.unique(numbers, return_inverse=True)
        chosen = torch.from_numpy(own).to(paths[distinct[0]].x.device)
        starts = pad([paths[n].baseline for n in distinct], batch_first=True)[chosen]
        ways = pad([paths[n].x - paths[n].baseline for n in distinct], batch_first=True)[chosen]
    else:
        ends = [paths[n].ends(place) for n, place in rows]
        starts = pad([start for start, _ in ends], batch_first=True)
        ways = pad([end - start for start, end in ends], batch_first=True)
    share = torch.from_numpy(points[numbers, places]).to(starts.device, starts.dtype)[:, None, None]
    return starts + share * ways, ways
