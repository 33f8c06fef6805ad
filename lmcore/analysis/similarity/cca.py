"""Canonical correlations between two representations: SVCCA and PWCCA."""

from dataclasses import dataclass

import numpy as np

from lmcore.analysis.similarity.directions import Directions, directions
from lmcore.analysis.similarity.examples import paired
from lmcore.errors import InputError, OptionError

VARIANCE = 0.99


@dataclass(frozen=True, eq=False)
class Correlated:
    """A representation whose canonical correlations with others are to be found.

    Attributes:
        directions: those that are kept.
        weighted: whether a correlation counts by how much of this representation its direction accounts for.
    """

    directions: Directions
    weighted: bool

    @property
    def constant(self) -> bool:
        """Whether it tells no example from another."""
        return self.directions.constant

    @property
    def kept(self) -> int:
        """How many directions it keeps."""
        return len(self.directions.sizes)

    def shuffled(self, order: np.ndarray) -> "Correlated":
        """Return the same of the examples in another order."""
        return Correlated(self.directions.shuffled(order), self.weighted)

    def compare(self, other: "Correlated") -> float:
        """Return the mean of the canonical correlations, 0 to 1, or 0 where one is constant.

        Raises:
            InputError: one of both has as many directions as the examples can have: every correlation is then 1.
        """
        if self.constant or other.constant:
            return 0.0
        self._refuse_trivial(other)
        own, correlations, _ = np.linalg.svd(self.directions.basis.T @ other.directions.basis, full_matrices=False)
        correlations = np.clip(correlations, 0.0, 1.0)
        if not self.weighted:
            return float(correlations.mean())
        weights = np.abs(own.T @ (self.directions.sizes[:, None] * self.directions.features)).sum(axis=1)
        return float(np.clip(weights @ correlations / weights.sum(), 0.0, 1.0))

    def _refuse_trivial(self, other: "Correlated") -> None:
        examples = self.directions.examples
        most = max(self.kept, other.kept)
        if most >= examples - 1:
            raise InputError(
                f"With {examples} examples and {most} directions every canonical correlation is 1, whatever they are: give "
                f"more than {most + 1} examples, several times as many if you can, or keep a smaller share of the variance."
            )


def svcca(x: np.ndarray, y: np.ndarray, variance: float = VARIANCE) -> float:
    """Return the mean canonical correlation of the strongest directions of both (Raghu et al. 2017).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).
        variance: share of each one's variance that its directions hold, above 0 to 1. With 1 it is the mean of plain CCA, which
            is the same after any invertible map; with less it is after rotations and scalings.

    Returns:
        0 to 1; 1 where the directions span the same space, 0 where one is constant. Unrelated ones are above 0, the more so the
        more directions and the fewer examples there are.

    Raises:
        InputError: the numbers of examples differ, are fewer than 3 or no more than the directions plus 1 (every correlation
            is then 1); or a value is not finite.
        OptionError: the share is outside its range.
    """
    return _correlation(x, y, variance, weighted=False)


def pwcca(x: np.ndarray, y: np.ndarray, variance: float = 1.0) -> float:
    """Return the canonical correlations' mean, each weighted by how much of ``x`` its direction makes up (Morcos et al. 2018).

    The weight of a direction h is Σⱼ |⟨h, xⱼ⟩| over the features xⱼ of ``x``: ``pwcca(x, y)`` is not ``pwcca(y, x)``, and a
    rotation of ``x`` changes it. Any invertible map of ``y`` leaves it as it is.

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).
        variance: share of each one's variance that is kept before, above 0 to 1; the authors keep all.

    Returns:
        0 to 1; see `svcca`.

    Raises:
        InputError: as for `svcca`.
        OptionError: the share is outside its range.
    """
    return _correlation(x, y, variance, weighted=True)


def svcca_directions(x: np.ndarray, *, variance: float) -> Correlated:
    """Return a representation (examples, features) as it is compared by `svcca`."""
    return _correlated(x, variance, weighted=False)


def pwcca_directions(x: np.ndarray, *, variance: float) -> Correlated:
    """Return a representation (examples, features) as it is compared by `pwcca`."""
    return _correlated(x, variance, weighted=True)


def _correlation(x: np.ndarray, y: np.ndarray, variance: float, *, weighted: bool) -> float:
    paired(x, y, fewest=3)
    return _correlated(x, variance, weighted=weighted).compare(_correlated(y, variance, weighted=weighted))


def _correlated(x: np.ndarray, variance: float, *, weighted: bool) -> Correlated:
    if not 0 < variance <= 1:
        raise OptionError(f"The share of the variance is {variance!r}: give a number above 0, up to 1.")
    return Correlated(directions(x).kept(variance), weighted)
