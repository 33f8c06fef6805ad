"""Owen values over a hierarchy of words, phrases and sentences (Owen 1977; Lundberg's partition explainer)."""

import heapq
from dataclasses import dataclass

import numpy as np

from lmcore.analysis.attribution.games import Game, Scores, Tree


@dataclass(frozen=True, eq=False)
class _Open:
    """A part of the tree whose contribution is known and still to be shared out.

    Attributes:
        tree: the part.
        around: the units that are there beside it, bool of shape (units,).
        without: the value with those alone.
        within: the value with the part beside them.
        weight: the share of all orders in which it is met so.
    """

    tree: Tree
    around: np.ndarray
    without: np.ndarray
    within: np.ndarray
    weight: float


def partition_shapley(tree: Tree, *, calls: int) -> Game:
    """Share the output out among the units down a hierarchy: at each fork by the Shapley values of its two halves.

    A half is met with the other one there and with it absent, half the weight each. Parts with the largest contribution are
    opened first; where the calls run out, a part's contribution is shared evenly among its units, so that the sum holds.

    Args:
        tree: the units, in halves.
        calls: how often the model may be asked, at most.
    """
    count = len(tree.units)
    nobody, everybody = np.zeros(count, dtype=bool), np.ones(count, dtype=bool)
    values = yield np.vstack([nobody, everybody])
    scores = np.zeros((count, values.shape[1]))
    waiting: list[tuple[float, int, _Open]] = []
    _push(waiting, _Open(tree, nobody, values[0], values[1], 1.0), 0)
    used, number = 2, 1
    while waiting:
        opened = _pop_many(waiting, scores, calls - used)
        if not opened:
            break
        rows = np.vstack([part.around | _members(count, half) for part in opened for half in part.tree.parts])
        found = yield rows
        used += len(rows)
        for place, part in enumerate(opened):
            for child in _halves(part, found[2 * place], found[2 * place + 1], count):
                _push(waiting, child, number)
                number += 1
    for _, _, part in waiting:
        scores[list(part.tree.units)] += part.weight * (part.within - part.without) / len(part.tree.units)
    return Scores(scores, adds_up=True)


def partition_shapley_calls(tree: Tree, *, calls: int) -> int:
    """Return how many coalitions the hierarchy asks for besides nobody and everybody, with which they are ``calls`` at most."""
    return min(calls - 2, _asked(tree))


def _asked(tree: Tree) -> int:
    return 2 + 2 * sum(_asked(part) for part in tree.parts) if tree.parts else 0


def _push(waiting: list[tuple[float, int, _Open]], part: _Open, number: int) -> None:
    size = part.weight * float(np.abs(part.within - part.without).sum())
    heapq.heappush(waiting, (-size, number, part))


def _pop_many(waiting: list[tuple[float, int, _Open]], scores: np.ndarray, left: int) -> list[_Open]:
    """Take the largest parts that there are calls for, up to 16; those of one unit are done, and are scored at once."""
    opened: list[_Open] = []
    while waiting and len(opened) < 16:
        part = waiting[0][2]
        if part.tree.parts and 2 * (len(opened) + 1) > left:
            break
        heapq.heappop(waiting)
        if part.tree.parts:
            opened.append(part)
        else:
            scores[part.tree.units[0]] += part.weight * (part.within - part.without)
    return opened


def _halves(part: _Open, first: np.ndarray, second: np.ndarray, count: int) -> list[_Open]:
    """Return both halves, each with the other absent and there.

    Args:
        part: what is opened.
        first: the value with the first half beside what is around.
        second: the same for the second half.
        count: units in all.
    """
    one, other = tuple(part.tree.parts)
    half = part.weight / 2
    return [
        _Open(one, part.around, part.without, first, half),
        _Open(one, part.around | _members(count, other), second, part.within, half),
        _Open(other, part.around, part.without, second, half),
        _Open(other, part.around | _members(count, one), first, part.within, half),
    ]


def _members(count: int, tree: Tree) -> np.ndarray:
    row = np.zeros(count, dtype=bool)
    row[list(tree.units)] = True
    return row
