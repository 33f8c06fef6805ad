"""A representation as orthogonal directions in the space of the examples, by a singular value decomposition."""

from dataclasses import dataclass, replace

import numpy as np

from lmcore.analysis.similarity.examples import as_rows, deviations, largest


@dataclass(frozen=True, eq=False)
class Directions:
    """The directions along which examples differ, the strongest first.

    Attributes:
        basis: orthonormal columns, float64 of shape (examples, directions); no columns where the representation is constant.
        sizes: the singular values that belong to them, float64 of shape (directions,), the largest first.
        features: how much of each direction is in each feature, float64 of shape (directions, features), orthonormal rows.
    """

    basis: np.ndarray
    sizes: np.ndarray
    features: np.ndarray

    @property
    def constant(self) -> bool:
        """Whether it tells no example from another."""
        return not len(self.sizes)

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return len(self.basis)

    def shuffled(self, order: np.ndarray) -> "Directions":
        """Return the same of the examples in another order."""
        return replace(self, basis=self.basis[order])

    def kept(self, variance: float) -> "Directions":
        """Return the fewest of the strongest directions that hold a share of the variance, 0 to 1."""
        if self.constant:
            return self
        held = np.cumsum(np.square(self.sizes))
        enough = variance * float(held[-1]) * (1 - 1e-12)  # the last sum may miss all of it by rounding
        count = int(np.searchsorted(held, enough)) + 1
        return replace(self, basis=self.basis[:, :count], sizes=self.sizes[:count], features=self.features[:count])


def directions(x: np.ndarray) -> Directions:
    """Decompose a representation (examples, features) around its mean.

    Directions no larger than what rounding to the type of ``x`` can make of nothing are left out: features that repeat each
    other, or are constant, add none.

    Raises:
        InputError: a value is no finite number.
    """
    rows = as_rows(x)
    rows = rows / largest(rows)
    away = deviations(rows)
    basis, sizes, features = np.linalg.svd(away, full_matrices=False)
    kind = np.asarray(x).dtype
    step = np.finfo(kind).eps if np.issubdtype(kind, np.floating) else 0.0
    exact = np.finfo(np.float64).eps * max(away.shape) * float(sizes.max(initial=0.0))
    there = sizes > max(float(step) * float(np.linalg.norm(rows)), exact)
    return Directions(basis[:, there], sizes[there], features[there])
