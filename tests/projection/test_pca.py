import numpy as np
import pytest
from sklearn.decomposition import PCA

from lmcore.projection.pca import pca


def _plane(rows: int = 60, features: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(rows, 2)) * [5.0, 1.0]
    places -= places.mean(axis=0)
    axes = np.linalg.svd(places, full_matrices=False)[2]
    places = places @ axes.T
    frame = np.linalg.qr(rng.normal(size=(features, 2)))[0]
    return places, places @ frame.T + 100.0


@pytest.mark.parametrize("features", [9, 200])
def test_a_plane_is_recovered_up_to_the_sign_of_its_axes(features):
    places, x = _plane(features=features)
    found = pca(x, dimensions=2, seed=0)
    signs = np.sign((found.points * places).sum(axis=0))
    np.testing.assert_allclose(found.points * signs, places, atol=1e-9)
    assert sum(found.explained_variance) == pytest.approx(1.0)


def test_axes_point_to_their_largest_loading_so_that_a_mirrored_copy_maps_mirrored():
    _, x = _plane()
    found = pca(x, dimensions=2, seed=0).points
    loadings = np.linalg.lstsq(found, x - x.mean(axis=0), rcond=None)[0]
    assert (loadings[np.arange(2), np.abs(loadings).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(pca(-x, dimensions=2, seed=0).points, -found, atol=1e-9)


@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (1100, 1005)])
def test_it_equals_scikit_learn_s_full_solver(shape):
    x = np.random.default_rng(1).normal(size=shape) * (1 / np.arange(1, shape[1] + 1))
    oracle = PCA(3, svd_solver="full")
    expected = oracle.fit_transform(x)
    found = pca(x, dimensions=3, seed=0)
    np.testing.assert_allclose(found.points, expected, atol=1e-8)
    np.testing.assert_allclose(found.explained_variance, oracle.explained_variance_ratio_, atol=1e-10)


def test_the_position_and_size_of_the_data_do_not_matter():
    _, x = _plane()
    found = pca(x, dimensions=2, seed=0)
    tiny = pca(x * 1e-180, dimensions=2, seed=0)
    np.testing.assert_allclose(tiny.points * 1e180, found.points, atol=1e-6)
    np.testing.assert_allclose(tiny.explained_variance, found.explained_variance, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 5), (4, 1), (2, 2), (2, 1)])
def test_missing_components_are_zero(shape):
    found = pca(np.random.default_rng(0).normal(size=shape), dimensions=3, seed=0)
    assert found.points.shape == (shape[0], 3)
    assert np.abs(found.points[:, min(shape) :]).max() < 1e-12
    assert sum(found.explained_variance) == pytest.approx(0.0 if shape[0] == 1 else 1.0)


def test_identical_rows_lie_at_the_origin_and_explain_nothing():
    found = pca(np.full((5, 4), 0.1), dimensions=2, seed=0)
    assert not found.points.any()
    assert found.explained_variance == (0.0, 0.0)
