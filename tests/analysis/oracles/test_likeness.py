"""Likeness of layers by other libraries and by the formulas, over shapes that are wide, short, repeated and constant."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.cross_decomposition import CCA

from lmcore.analysis import debiased_cka, linear_cka, procrustes, pwcca, rbf_cka, rsa, svcca

SHAPES = [(8, 3, 5), (40, 6, 4), (9, 30, 12), (25, 25, 2), (200, 10, 17), (5, 1, 1)]
KINDS = ("plain", "repeated", "constant columns", "large mean")


def pair(shape, kind):
    rows, first, second = shape
    rng = np.random.default_rng(rows + first)
    x = rng.normal(size=(rows, first))
    y = rng.normal(size=(rows, second)) + x[:, :1]
    if kind == "repeated":
        x = np.hstack([x, x @ rng.normal(size=(first, 3))])
    if kind == "constant columns":
        x, y = np.hstack([x, np.full((rows, 2), 7.0)]), np.hstack([np.zeros((rows, 1)), y])
    return (x + 100, y - 100) if kind == "large mean" else (x, y)


def centred(x):
    return x - x.mean(axis=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_cka_is_that_of_the_centred_kernels(shape, kind):
    x, y = pair(shape, kind)
    k, m = (centred(a) @ centred(a).T for a in (x, y))
    assert linear_cka(x, y) == pytest.approx((k * m).sum() / np.linalg.norm(k) / np.linalg.norm(m), abs=1e-9)
    n = len(x)
    centring = np.eye(n) - 1 / n
    squares = [np.square(a[:, None] - a[None]).sum(-1) for a in (x, y)]
    kernels = [centring @ np.exp(-s / (2 * 0.5**2 * np.median(s))) @ centring for s in squares]
    norms = np.prod([np.linalg.norm(each) for each in kernels])
    assert rbf_cka(x, y, 0.5) == pytest.approx((kernels[0] * kernels[1]).sum() / norms, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_debiased_value_is_that_of_all_quadruples(kind):
    """HSIC without bias is a mean over quadruples of different examples (Song et al. 2012): all of them are tried."""
    from itertools import permutations

    x, y = pair((6, 3, 4), kind)
    k, m = x @ x.T, y @ y.T

    def hsic(a, b):
        i, j, q, r = np.array(list(permutations(range(6), 4))).T
        return (a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q])).mean()

    wanted = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert debiased_cka(x, y) == pytest.approx(np.clip(wanted, -1, 1), abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("kind", KINDS)
def test_procrustes_is_scipys(shape, kind):
    x, y = (centred(a) / np.linalg.norm(centred(a)) for a in pair(shape, kind))
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in (x, y))
    turn, _ = orthogonal_procrustes(x, y)
    assert procrustes(x, y) == pytest.approx(1 - np.square(x @ turn - y).sum() / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "distance"),
    [*((shape, "euclidean") for shape in SHAPES), *((shape, "cosine") for shape in SHAPES if shape[1] > 1)],
)
def test_rsa_is_the_rank_correlation_of_scipys_distances(shape, distance):
    x, y = pair(shape, "plain")
    wanted = spearmanr(pdist(x, distance), pdist(y, distance)).statistic
    assert rsa(x, y, distance) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 6, 4), (200, 10, 17), (60, 3, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_cca_is_that_of_the_angles_between_the_spaces(shape, kind):
    x, y = pair(shape, kind)
    bases = [np.linalg.svd(centred(a), full_matrices=False) for a in (x, y)]
    bases = [u[:, s > 1e-9 * s[0]] for u, s, _ in bases]
    angles = np.cos(subspace_angles(*bases))
    assert svcca(x, y, 1.0) == pytest.approx(angles.mean(), abs=1e-6)


def test_plain_cca_is_scikit_learns():
    x, y = pair((300, 4, 3), "plain")
    fitted = CCA(n_components=3, max_iter=5000, tol=1e-12).fit(x, y)
    first, second = fitted.transform(x, y)
    correlations = [np.corrcoef(first[:, n], second[:, n])[0, 1] for n in range(3)]
    assert svcca(x, y, 1.0) == pytest.approx(np.mean(correlations), abs=1e-4)
    weights = np.abs((first / np.linalg.norm(first, axis=0)).T @ centred(x)).sum(axis=1)
    assert pwcca(x, y) == pytest.approx(weights @ correlations / weights.sum(), abs=1e-4)


def test_known_matrices():
    """Two indicators of four groups, and the same in other bases."""
    groups = np.repeat(np.eye(4), 5, axis=0)
    halves = np.repeat(np.eye(2), 10, axis=0)
    # Of three equal directions of the groups one is the halves': CKA 1/√3, mean CCA over one direction 1.
    assert linear_cka(groups, halves) == pytest.approx(1 / np.sqrt(3))
    assert svcca(groups, halves, 1.0) == pytest.approx(1)
    assert procrustes(groups, halves) == pytest.approx(1 / np.sqrt(3))
    mixed = groups @ np.array([[1, 2, 0, 0], [0, 1, 0, 3], [0, 0, 1, 0], [4, 0, 0, 1.0]])
    assert svcca(groups, mixed, 1.0) == pytest.approx(1)
    assert linear_cka(groups, mixed) < 0.99
    assert linear_cka(groups, 3 * groups[:, ::-1] + 2) == pytest.approx(1)
