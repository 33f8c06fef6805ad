"""How well one representation can be turned into another: orthogonal Procrustes."""

from dataclasses import dataclass

import numpy as np

from lmcore.analysis.similarity.directions import directions
from lmcore.analysis.similarity.examples import paired


@dataclass(frozen=True, eq=False)
class Turned:
    """A representation of size 1 around its mean.

    Attributes:
        points: float64 of shape (examples, directions), turned onto its own axes; sum of squares 1, or no columns where the
            representation is constant.
    """

    points: np.ndarray

    @property
    def constant(self) -> bool:
        """Whether it tells no example from another."""
        return not self.points.shape[1]

    @property
    def kept(self) -> int:
        """How many directions its correlations are the mean of: none, since it is turned as a whole."""
        return 0

    def shuffled(self, order: np.ndarray) -> "Turned":
        """Return the same of the examples in another order."""
        return Turned(self.points[order])

    def compare(self, other: "Turned") -> float:
        """Return the sum of the singular values of both one's product, 0 to 1, or 0 where one is constant."""
        if self.constant or other.constant:
            return 0.0
        sizes = np.linalg.svd(self.points.T @ other.points, compute_uv=False)
        return float(np.clip(sizes.sum(), 0.0, 1.0))


def procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """Measure how well one representation fits the other after the best rotation (orthogonal Procrustes; Ding et al. 2021).

    Both are centred and divided by their Frobenius norm. The squared distance after the best rotation is then
    d = 2 - 2 ‖xᵀy‖ with the nuclear norm (the sum of the singular values), 0 to 2, and the similarity is 1 - d / 2 = ‖xᵀy‖.

    Args:
        x: shape (examples, features).
        y: shape (examples, other features); the narrower one is filled up with zeros.

    Returns:
        0 to 1; 1 where one is a rotation and scaling of the other, 0 where one is constant. Unrelated ones are above 0, the
        more so the more features and the fewer examples there are.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 3; or a value is not finite.
    """
    paired(x, y, fewest=3)
    return turned(x).compare(turned(y))


def turned(x: np.ndarray) -> Turned:
    """Return a representation (examples, features) as it is compared by `procrustes`."""
    found = directions(x)
    points = found.basis * found.sizes
    return Turned(points if found.constant else points / np.linalg.norm(points))
