"""Representational similarity analysis: whether two representations put the same examples near each other."""

import numpy as np

from lmcore.analysis.similarity.examples import as_rows, largest, paired
from lmcore.analysis.similarity.pairs import PairValues, packed
from lmcore.errors import InputError, OptionError

DISTANCES = ("euclidean", "correlation", "cosine")

# Distances that differ by rounding alone share a rank.
DIGITS = 12


def rsa(x: np.ndarray, y: np.ndarray, distance: str = "euclidean") -> float:
    """Return Spearman's rank correlation of the distances between all pairs of examples (Kriegeskorte et al. 2008).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).
        distance: ``euclidean``, the same after rotations, shifts and scalings; ``correlation``, 1 less Pearson's correlation of
            two examples over the features, as the authors have it, which looks at no example's size; ``cosine``, 1 less the
            cosine of two examples.

    Returns:
        -1 to 1; 1 where both order the pairs in the same way, about 0 where they share nothing, 0 where one has all examples
        equally far from each other.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 3; a value is not finite, or an example has no direction.
        OptionError: there is no such distance.
    """
    first, second = paired(x, y, fewest=3)
    return ranked_distances(first, distance=distance).compare(ranked_distances(second, distance=distance))


def ranked_distances(x: np.ndarray, *, distance: str) -> PairValues:
    """Return the rank of each pair of examples (examples, features) by its distance, less the mean rank."""
    from scipy.spatial.distance import pdist, squareform
    from scipy.stats import rankdata

    if distance not in DISTANCES:
        raise OptionError(f"The distance is {distance!r}: give one of {', '.join(DISTANCES)}.")
    rows = as_rows(x)
    rows = rows / largest(rows)
    if distance != "euclidean":
        _refuse_no_direction(rows, distance)
    found = pdist(rows, distance)
    unit = largest(found) if distance == "euclidean" else 1.0
    ranks = rankdata(np.round(found / unit, DIGITS))
    return packed(squareform(ranks - ranks.mean()))


def _refuse_no_direction(rows: np.ndarray, distance: str) -> None:
    level = rows[:, :1] if distance == "correlation" else 0.0
    without = np.flatnonzero((rows == level).all(axis=1))
    if len(without):
        why = "the same in all features" if distance == "correlation" else "0 in all features"
        raise InputError(
            f"Example {int(without[0]) + 1} is {why}, and so has no {distance} distance to others: take euclidean."
        )
