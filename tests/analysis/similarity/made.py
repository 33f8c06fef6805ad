"""Representations to compare, and the formulas of the papers written down once more."""

import numpy as np


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def related(rows=60, features=8, other=6, seed=0):
    """Two representations that share a part and differ in the rest."""
    x, y = normal(rows, features, seed=seed), normal(rows, other, seed=seed + 1) + 5
    y[:, :4] += 2 * x[:, :4]
    return x, y


def rotation(features, seed=2):
    turned, _ = np.linalg.qr(normal(features, features, seed=seed))
    return turned


def invertible(features, seed=3):
    """A map that is far from a rotation: its singular values run from 1 to 30."""
    left, right = rotation(features, seed), rotation(features, seed + 1)
    return left @ np.diag(np.geomspace(1, 30, features)) @ right


def centre(count):
    return np.eye(count) - 1 / count


def hsic_unbiased(k, m):
    """HSIC₁ of Song et al. (2012), equation 5, term by term."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    trace = np.trace(k @ m)
    both = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    mixed = 2 / (n - 2) * (one @ k @ m @ one)
    return (trace + both - mixed) / (n * (n - 3))


def debiased_by_definition(x, y):
    k, m = x @ x.T, y @ y.T
    return hsic_unbiased(k, m) / np.sqrt(hsic_unbiased(k, k) * hsic_unbiased(m, m))


def gaussian(x, threshold):
    """The kernel of the code of Kornblith et al. (2019), pair by pair."""
    squared = np.array([[((a - b) ** 2).sum() for b in x] for a in x])
    return np.exp(-squared / (2 * threshold**2 * np.median(squared)))


def aligned(k, m):
    k, m = (centre(len(k)) @ a @ centre(len(k)) for a in (k, m))
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


def root_inverse(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def canonical(x, y):
    """Canonical correlations by whitening with the covariances (Hotelling 1936); also the canonical variates of x."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    first, second = root_inverse(x.T @ x), root_inverse(y.T @ y)
    left, correlations, _ = np.linalg.svd(first @ x.T @ y @ second, full_matrices=False)
    return correlations, x @ first @ left


def strongest(x, variance):
    """The projection of x onto its first principal components that hold a share of its variance."""
    x = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x)
    values, vectors = values[::-1], vectors[:, ::-1]
    count = next(k for k in range(1, len(values) + 1) if values[:k].sum() >= variance * values.sum())
    return x @ vectors[:, :count]
