"""Centred kernel alignment: linear, debiased, and with a Gaussian kernel."""

import numpy as np

from lmcore.analysis.similarity.examples import as_rows, centred, paired
from lmcore.analysis.similarity.pairs import (
    ROUNDING,
    PairValues,
    double_centred,
    linear_kernel,
    packed,
    rbf_kernel,
    u_centred,
)
from lmcore.errors import OptionError

THRESHOLD = 0.8


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Measure how alike two sets of representations of the same examples are (Kornblith et al. 2019).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).

    Returns:
        0 to 1; 1 where one is a rotation and scaling of the other, 0 where they share nothing or one is constant. With fewer
        examples than features it is far above 0 for unrelated ones too: see `debiased_cka`.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 2; or a value is not finite.
    """
    first, second = (centred(a) for a in paired(x, y, fewest=2))
    norms = [_scatter(a, a) for a in (first, second)]
    scale = float(np.sqrt(norms[0] * norms[1]))
    return float(np.clip(_scatter(first, second) / scale, 0.0, 1.0)) if scale > 0 else 0.0


def debiased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Measure the same with unbiased estimates of HSIC (Song et al. 2012; Kornblith et al. 2019; Nguyen et al. 2021).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).

    Returns:
        -1 to 1; 1 where one is a rotation and scaling of the other, about 0 (and as often below as above) where they share
        nothing, however few the examples are; 0 where one is constant, or treats all pairs of examples alike.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 4; or a value is not finite.
    """
    first, second = (centred(a) for a in paired(x, y, fewest=4))
    norms = [_unbiased(a, a) for a in (first, second)]
    alike = [norm <= ROUNDING**2 * _scatter(a, a) for norm, a in zip(norms, (first, second), strict=True)]
    if any(alike):
        return 0.0
    return float(np.clip(_unbiased(first, second) / np.sqrt(norms[0] * norms[1]), -1.0, 1.0))


def rbf_cka(x: np.ndarray, y: np.ndarray, threshold: float = THRESHOLD, *, debiased: bool = False) -> float:
    """Measure the same with a Gaussian kernel, which looks at near neighbours more than at the whole (Kornblith et al. 2019).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).
        threshold: the kernel's width σ as a fraction of the median distance; see `rbf_kernel`.
        debiased: whether HSIC is estimated without bias, which takes 4 examples.

    Returns:
        0 to 1, debiased -1 to 1; 1 where one is a rotation and scaling of the other, 0 where one is constant.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 3; or a value is not finite.
        OptionError: the threshold is not above 0.
    """
    first, second = paired(x, y, fewest=4 if debiased else 3)
    values = [rbf_pairs(a, threshold=threshold, debiased=debiased) for a in (first, second)]
    found = values[0].compare(values[1])
    return found if debiased else max(found, 0.0)


def linear_pairs(x: np.ndarray) -> PairValues:
    """Return the centred linear kernel of a representation (examples, features)."""
    rows = as_rows(x)
    return packed(double_centred(linear_kernel(rows)(rows)))


def debiased_pairs(x: np.ndarray) -> PairValues:
    """Return the U-centred linear kernel of a representation (examples, features)."""
    rows = as_rows(x)
    return packed(u_centred(linear_kernel(rows)(rows)))


def rbf_pairs(x: np.ndarray, *, threshold: float, debiased: bool) -> PairValues:
    """Return the centred Gaussian kernel of a representation (examples, features)."""
    if not threshold > 0:
        raise OptionError(f"The threshold is {threshold!r}: give a number above 0, such as {THRESHOLD}.")
    rows = as_rows(x)
    kernel = rbf_kernel(rows, threshold)(rows)
    return packed(u_centred(kernel) if debiased else double_centred(kernel))


def _scatter(x: np.ndarray, y: np.ndarray) -> float:
    """Return ‖xᵀy‖² by whichever side is smaller."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return float(((x @ x.T) * (y @ y.T)).sum())
    return float(np.square(x.T @ y).sum())


def _unbiased(x: np.ndarray, y: np.ndarray) -> float:
    """Return n (n - 3) times the unbiased HSIC of centred features, from the features or from the pairs of examples."""
    count = len(x)
    first, second = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
    both = first.sum() * second.sum() / ((count - 1) * (count - 2))
    return float(_scatter(x, y) - count / (count - 2) * (first @ second) + both)
