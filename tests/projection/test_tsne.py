import numpy as np
import pytest
from sklearn.manifold import TSNE

from lmcore.projection.rows import rescale, unit_rows
from lmcore.projection.tsne import tsne


def _layout(x, **options):
    return tsne(
        np.asarray(x, dtype=np.float64),
        **{"dimensions": 2, "perplexity": 10.0, "metric": "euclidean", "seed": 0} | options,
    )


@pytest.fixture
def cloud() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(90, 6))


def test_it_equals_scikit_learn_on_centred_and_scaled_rows(cloud):
    expected = TSNE(2, perplexity=10, init="pca", random_state=3).fit_transform(rescale(cloud)[0].astype(np.float32))
    assert np.array_equal(_layout(cloud, seed=3).points, expected)


def test_cosine_ignores_how_long_the_rows_are(cloud):
    stretched = cloud * 2.0 ** np.random.default_rng(1).integers(-3, 4, size=(90, 1))
    found = _layout(cloud, metric="cosine").points
    assert np.array_equal(_layout(stretched, metric="cosine").points, found)
    assert np.array_equal(_layout(unit_rows(cloud)).points, found)


def test_the_seed_decides(cloud):
    one_feature = cloud[:, :1]
    assert np.array_equal(_layout(one_feature, seed=1).points, _layout(one_feature, seed=1).points)
    assert not np.array_equal(_layout(one_feature, seed=1).points, _layout(one_feature, seed=2).points)


def test_all_identical_rows_lie_at_the_origin():
    found = _layout(np.full((60, 8), 0.3))
    assert found.points.shape == (60, 2)
    assert not found.points.any()


def test_identical_rows_share_a_point_and_leave_the_rest_as_it_is(cloud):
    heap = np.concatenate([cloud, np.repeat(cloud[:1], 200, axis=0)])
    found = _layout(heap).points
    assert np.array_equal(found[90:], np.repeat(found[:1], 200, axis=0))
    assert len(np.unique(found, axis=0)) == 90


@pytest.mark.parametrize("factor", [1e-200, 1e-25, 1e25])
def test_rows_of_any_size_are_laid_out(cloud, factor):
    assert np.isfinite(_layout(cloud[:30] * factor).points).all()


def test_rows_that_differ_by_rounding_alone_are_laid_out():
    x = np.ones((40, 8)) + 1e-16 * np.random.default_rng(0).integers(0, 9, size=(40, 8))
    assert np.isfinite(_layout(x).points).all()


@pytest.mark.parametrize(("rows", "expected"), [(91, 30.0), (61, 20.0), (4, 1.0), (3, 1.0), (2, 1.0), (1, 1.0)])
def test_perplexity_is_lowered_to_a_third_of_the_rows_and_recorded(rows, expected):
    x = np.random.default_rng(0).normal(size=(rows, 5))
    found = _layout(x, perplexity=30.0)
    assert found.effective == {"perplexity": expected}
    assert np.isfinite(found.points).all()


@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (20, 1)])
def test_three_axes_from_fewer_components(shape):
    found = _layout(np.random.default_rng(0).normal(size=shape), dimensions=3)
    assert found.points.shape == (shape[0], 3)
    assert np.isfinite(found.points).all()
