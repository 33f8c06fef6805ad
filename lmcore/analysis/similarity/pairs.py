"""What a representation says about each pair of examples: kernels and distances as vectors that can be compared.

CKA and representational similarity analysis never look at features: they compare what two representations say about the
pairs of examples. Each representation becomes one vector here, and a similarity is the cosine of two such vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lmcore.analysis.similarity.examples import deviations, largest

Kernel = Callable[[np.ndarray], np.ndarray]

# Of the size of what was subtracted: less is what rounding leaves of nothing.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class PairValues:
    """One value for each pair of examples.

    Attributes:
        values: float64 of shape (n (n + 1) / 2,), the upper triangle of a symmetric matrix row by row; off the diagonal times
            √2, so that the inner product of two vectors is that of the matrices. All 0 where the representation is constant.
        examples: how many examples, n.
    """

    values: np.ndarray
    examples: int

    def compare(self, other: "PairValues") -> float:
        """Return the cosine of both, -1 to 1, or 0 where one is constant."""
        scale = float(np.linalg.norm(self.values)) * float(np.linalg.norm(other.values))
        return float(np.clip(self.values @ other.values / scale, -1.0, 1.0)) if scale > 0 else 0.0

    def shuffled(self, order: np.ndarray) -> "PairValues":
        """Return the same of the examples in another order."""
        return replace(self, values=self.values[shuffled_places(order)])

    @property
    def constant(self) -> bool:
        """Whether it tells no example from another."""
        return not self.values.any()

    @property
    def kept(self) -> int:
        """How many directions it keeps: none, since pairs are compared."""
        return 0


def packed(square: np.ndarray) -> PairValues:
    """Return a symmetric matrix (examples, examples) as values of pairs."""
    rows, columns = np.triu_indices(len(square))
    values = square[rows, columns]
    values[rows != columns] *= np.sqrt(2.0)
    return PairValues(values, len(square))


def shuffled_places(order: np.ndarray) -> np.ndarray:
    """Return where each pair of the reordered examples stands among the pairs of the examples as they were."""
    count = len(order)
    rows, columns = np.triu_indices(count)
    low, high = np.minimum(order[rows], order[columns]), np.maximum(order[rows], order[columns])
    places: np.ndarray = low * count - low * (low - 1) // 2 + high - low
    return places


def linear_kernel(rows: np.ndarray) -> Kernel:
    """Return the inner product of examples, in a unit that suits some of them."""
    unit = largest(deviations(rows))

    def gram(some: np.ndarray) -> np.ndarray:
        away = deviations(some) / unit
        products: np.ndarray = away @ away.T
        return products

    return gram


def rbf_kernel(rows: np.ndarray, threshold: float) -> Kernel:
    """Return the Gaussian kernel exp(-d² / 2σ²) with σ as a fraction of the median distance (Kornblith et al. 2019).

    As in the authors' code σ² is ``threshold``² times the median of the squared distances of all (examples, examples) pairs,
    those of an example with itself included. Where it is 0, since most examples are the same, only same examples are alike.

    Args:
        rows: the examples whose distances set the width, shape (examples, features).
        threshold: the fraction.
    """
    unit = largest(deviations(rows))
    width = 2 * threshold**2 * float(np.median(_squared_distances(rows, unit)))

    def gram(some: np.ndarray) -> np.ndarray:
        squared = _squared_distances(some, unit)
        if width == 0:
            same: np.ndarray = (squared == 0).astype(np.float64)
            return same
        kernel: np.ndarray = np.exp(-squared / width)
        return kernel

    return gram


def double_centred(kernel: np.ndarray) -> np.ndarray:
    """Take the means of rows and columns away: HSIC is then the inner product of two kernels, up to a factor."""
    means = kernel.mean(axis=0)
    away: np.ndarray = kernel - means[:, None] - means[None, :] + means.mean()
    return _nothing_left(away, kernel)


def u_centred(kernel: np.ndarray) -> np.ndarray:
    """Take the means away so that the inner product is the unbiased HSIC times n (n - 3) (Székely & Rizzo 2014).

    The same as HSIC₁ of Song et al. (2012). A kernel needs more than 3 examples.
    """
    count = len(kernel)
    off = kernel - np.diag(np.diag(kernel))
    sums = off.sum(axis=0)
    away = off - (sums[:, None] + sums[None, :]) / (count - 2) + sums.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(away, 0.0)
    return _nothing_left(away, kernel)


def _nothing_left(away: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return exact zeros where centring left nothing but rounding."""
    left, before = float(np.linalg.norm(away)), float(np.linalg.norm(kernel))
    return away if left > ROUNDING * before else np.zeros_like(away)


def _squared_distances(rows: np.ndarray, unit: float) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform

    squared: np.ndarray = squareform(pdist(deviations(rows) / unit, "sqeuclidean"))
    return squared
