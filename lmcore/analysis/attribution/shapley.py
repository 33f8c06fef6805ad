"""Shapley values by Kernel SHAP (Lundberg & Lee 2017): exact where the units are few, else over sampled coalitions."""

from itertools import combinations
from math import comb

import numpy as np

from lmcore.analysis.attribution.games import Game, Scores, Tree


def kernel_shap(tree: Tree, *, samples: int, seed: int) -> Game:
    """Score each unit by its mean contribution over all orders in which units can be put in.

    Shapley values are the solution of a weighted regression over all coalitions, with the sum fixed. Where these are at most
    ``samples``, all are asked for. Else whole sizes are, from both ends, as long as there is room, and the others are drawn
    in pairs with their complements (Covert & Lee 2021).

    Args:
        tree: the units.
        samples: coalitions, at most.
        seed: of the draws.
    """
    units = len(tree.units)
    rows, weights = coalitions(units, samples, np.random.default_rng(seed))
    ends = np.vstack([np.zeros(units, dtype=bool), np.ones(units, dtype=bool)])
    values = yield np.vstack([ends, rows])
    return Scores(_solve(rows, weights, values), adds_up=True)


def kernel_shap_calls(tree: Tree, *, samples: int, seed: int) -> int:
    """Return the number of coalitions."""
    return int(min(samples, 2 ** min(len(tree.units), 40) - 2))


def coalitions(units: int, samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return coalitions other than nobody and everybody, bool of shape (rows, units), and the weight of each.

    The weights of a size sum to those of the Shapley kernel, (units − 1) / (size · (units − size)).
    """
    sizes = np.arange(1, units)
    share = (units - 1) / (sizes * (units - sizes))
    rows: list[np.ndarray] = []
    weights: list[float] = []
    left, size = samples, 1
    while size <= units // 2:
        pair = sorted({size, units - size})
        count = sum(comb(units, s) for s in pair)
        if count > left:
            break
        for s in pair:
            rows += [_members(units, chosen) for chosen in combinations(range(units), s)]
            weights += [share[s - 1] / comb(units, s)] * comb(units, s)
        left, size = left - count, size + 1
    if size <= units // 2:
        drawn = _drawn(units, size, left, share, rng)
        rows += [np.frombuffer(key, dtype=bool) for key in drawn]
        weights += list(drawn.values())
    return np.array(rows, dtype=bool).reshape(-1, units), np.array(weights, dtype=np.float64)


def _drawn(units: int, size: int, left: int, share: np.ndarray, rng: np.random.Generator) -> dict[bytes, float]:
    """Draw pairs of complements of the sizes that are left; their weights sum to those of these sizes."""
    sizes = np.arange(size, units - size + 1)
    chances = share[sizes - 1] / share[sizes - 1].sum()
    counts: dict[bytes, float] = {}
    for _ in range(4 * left):
        if len(counts) + 2 > max(left, 2):
            break
        row = _members(units, rng.choice(units, size=int(rng.choice(sizes, p=chances)), replace=False))
        for each in (row, ~row):
            counts[each.tobytes()] = counts.get(each.tobytes(), 0.0) + 1.0
    total = sum(counts.values())
    return {key: count / total * float(share[sizes - 1].sum()) for key, count in counts.items()}


def _members(units: int, chosen: object) -> np.ndarray:
    row = np.zeros(units, dtype=bool)
    row[list(chosen)] = True  # type: ignore[call-overload]
    return row


def _solve(rows: np.ndarray, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve the weighted regression with the sum of the scores fixed; the last unit's follows from the others'."""
    nothing, everything, each = values[0], values[1], values[2:]
    total = everything - nothing
    if rows.shape[1] == 1:
        found: np.ndarray = total[None]
        return found
    x = rows.astype(np.float64)
    y = each - nothing - x[:, -1:] * total
    root = np.sqrt(weights)[:, None]
    scores = np.linalg.lstsq((x[:, :-1] - x[:, -1:]) * root, y * root, rcond=None)[0]
    return np.vstack([scores, total - scores.sum(axis=0)])
