import numpy as np
import pytest

from lmcore.errors import DataError
from lmcore.projection.umap import umap


def _layout(x, **options):
    given = {"dimensions": 2, "neighbors": 15, "min_dist": 0.1, "metric": "euclidean", "seed": 0} | options
    return umap(np.asarray(x, dtype=np.float64), **given)


@pytest.mark.parametrize(("rows", "dimensions"), [(2, 2), (3, 2), (4, 3)])
def test_too_few_different_rows_are_refused_in_a_sentence(rows, dimensions):
    x = np.random.default_rng(0).normal(size=(rows, 5))
    with pytest.raises(DataError, match=rf"at least {dimensions + 2} different rows and got {rows}"):
        _layout(x, dimensions=dimensions)
    with pytest.raises(DataError, match=rf"got {rows}"):
        _layout(np.repeat(x, 30, axis=0), dimensions=dimensions)


@pytest.mark.parametrize("rows", [1, 50])
def test_identical_rows_lie_at_the_origin(rows):
    assert not _layout(np.full((rows, 8), 0.3)).points.any()


@pytest.mark.parametrize(("rows", "dimensions"), [(4, 2), (5, 3), (9, 2)])
def test_few_rows_lower_the_neighbours_and_the_value_is_recorded(rows, dimensions):
    found = _layout(np.random.default_rng(0).normal(size=(rows, 5)), dimensions=dimensions)
    assert found.effective == {"neighbors": rows - 1}
    assert np.isfinite(found.points).all()


def test_the_seed_decides_and_identical_rows_share_a_point():
    x = np.random.default_rng(0).normal(size=(40, 1))
    x = np.concatenate([x, np.repeat(x[:1], 100, axis=0)])
    first, again, other = (_layout(x, seed=seed).points for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first[40:], np.repeat(first[:1], 100, axis=0))
    assert len(np.unique(first, axis=0)) == 40


def test_separate_tiny_groups_are_laid_out_without_a_warning():
    rng = np.random.default_rng(0)
    x = np.concatenate([1e-3 * rng.normal(size=(4, 8)) + 100 * group for group in range(6)])
    assert np.isfinite(_layout(x, neighbors=3).points).all()
