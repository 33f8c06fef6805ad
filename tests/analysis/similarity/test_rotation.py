import numpy as np
import pytest

from lmcore.analysis import procrustes
from lmcore.analysis.similarity.rotation import turned
from lmcore.errors import InputError
from tests.analysis.similarity.made import invertible, normal, related, rotation


def unit(x):
    away = x - x.mean(axis=0)
    return away / np.linalg.norm(away)


@pytest.mark.parametrize(("rows", "features"), [(60, 7), (9, 40)])
def test_it_is_1_less_half_the_squared_distance_after_the_best_rotation(rows, features):
    from scipy.linalg import orthogonal_procrustes

    x, y = related(rows, features, features)
    best, _ = orthogonal_procrustes(unit(x), unit(y))
    distance = np.square(unit(x) @ best - unit(y)).sum()
    assert procrustes(x, y) == pytest.approx(1 - distance / 2, abs=1e-10)
    assert procrustes(x, y) == pytest.approx(procrustes(y, x), abs=1e-12)


def test_a_narrower_side_is_filled_up_with_zeros():
    x, y = related(40, 9, 5)
    assert procrustes(x, y) == pytest.approx(procrustes(x, np.column_stack([y, np.zeros((40, 4))])), abs=1e-12)


def test_values_by_hand():
    a, b, c = np.array([1, 1, -1, -1.0]), np.array([1, -1, 1, -1.0]), np.array([1, -1, -1, 1.0])
    # Of size 1, x is (a, b) / √8 and y is (a, c) / √8: xᵀy = [[1/2, 0], [0, 0]], and its nuclear norm 1/2.
    assert procrustes(np.column_stack([a, b]), np.column_stack([a, c])) == pytest.approx(0.5)
    # (3a, b) / √40 and (a, b) / √8: xᵀy = diag(12, 4) / √320, and so 16 / √320.
    assert procrustes(np.column_stack([3 * a, b]), np.column_stack([a, b])) == pytest.approx(16 / np.sqrt(320))
    assert procrustes(a[:, None], -a[:, None]) == pytest.approx(1.0)  # a mirror is a rotation here
    assert procrustes(a[:, None], b[:, None]) == pytest.approx(0.0, abs=1e-12)


def test_rotation_scaling_and_shift_do_not_matter_but_a_linear_map_does():
    x, y = related(50, 8, 8)
    assert procrustes(x, 3 * x @ rotation(8) + 7) == pytest.approx(1.0)
    assert procrustes(2 * x @ rotation(8) - 1, y) == pytest.approx(procrustes(x, y), abs=1e-9)
    assert procrustes(x, x @ invertible(8)) < 0.95
    assert 0 < procrustes(normal(500, 4), normal(500, 4, seed=1)) < 0.15


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_size_of_the_values_does_not_matter(size):
    x, y = related(30, 4, 4)
    assert procrustes(x * size, y) == pytest.approx(procrustes(x, y))


def test_a_constant_is_like_nothing():
    assert procrustes(np.full((7, 3), 0.1), np.full((7, 3), 0.1)) == 0.0
    assert procrustes(normal(7, 3), np.full((7, 2), np.float32(0.1))) == 0.0


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="NaN or infinite"):
        procrustes(np.full((9, 2), np.inf), normal(9, 2))
    with pytest.raises(InputError, match="the same examples, at least 3"):
        procrustes(normal(2, 2), normal(2, 2))


def test_shuffled_points_are_those_of_shuffled_examples():
    x, y = related(50, 6, 5)
    order = np.random.default_rng(1).permutation(50)
    assert turned(x).compare(turned(y).shuffled(order)) == pytest.approx(procrustes(x, y[order]), abs=1e-10)
