import tracemalloc

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from lmcore.errors import DataError, OptionError
from lmcore.projection import projection_quality


@pytest.fixture
def space() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(240, 12))


@pytest.mark.parametrize("neighbors", [1, 5, 15, 119])
def test_both_parts_equal_scikit_learn(space, neighbors):
    flat = space[:, :2] + 0.2 * np.random.default_rng(1).normal(size=(240, 2))
    quality = projection_quality(space, flat, neighbors=neighbors)
    assert quality.trustworthiness == pytest.approx(trustworthiness(space, flat, n_neighbors=neighbors), abs=1e-9)
    assert quality.continuity == pytest.approx(trustworthiness(flat, space, n_neighbors=neighbors), abs=1e-9)
    assert (quality.neighbors, quality.rows) == (neighbors, 240)


def test_a_large_offset_and_float32_change_nothing(space):
    flat = space[:, :2]
    quality = projection_quality((space + 1000).astype(np.float32), flat.astype(np.float32))
    assert quality.trustworthiness == pytest.approx(trustworthiness(space, flat, n_neighbors=15), abs=1e-3)


def test_a_worked_case_by_hand():
    # On a line at 0, 1, 3, 7 the nearest neighbours are 1, 0, 1, 2. The map swaps the last two rows, which makes the
    # nearest neighbours there 1, 0, 3, 1. Row 2 gets row 3 (third in the space) and row 3 gets row 1 (second):
    # excess ranks 2 + 1 of at most 4 * 1 * (8 - 3 - 1) / 2 = 8.
    space = np.array([[0.0], [1.0], [3.0], [7.0]])
    quality = projection_quality(space, space[[0, 1, 3, 2]], neighbors=1)
    assert quality.trustworthiness == pytest.approx(1 - 3 / 8)
    assert quality.continuity == pytest.approx(1 - 3 / 8)


def test_the_identity_is_perfect_and_a_shuffle_is_as_bad_as_chance(space):
    same = projection_quality(space, space)
    assert (same.trustworthiness, same.continuity) == (1.0, 1.0)
    shuffled = projection_quality(space, np.random.default_rng(3).permutation(space)[:, :2])
    assert shuffled.trustworthiness == pytest.approx(0.5, abs=0.05)
    assert shuffled.continuity == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_heaps_of_identical_rows_are_not_ranked_by_rounding(offset):
    rng = np.random.default_rng(0)
    space = rng.normal(size=(301, 37)) + offset
    space[:150] = space[0]
    space[150:] = space[200]
    rotation = np.linalg.qr(rng.normal(size=(37, 37)))[0]
    quality = projection_quality(space, space @ rotation)
    assert (quality.trustworthiness, quality.continuity) == (1.0, 1.0)


def test_a_map_that_tears_keeps_trust_and_one_that_folds_keeps_continuity():
    line = np.arange(200.0)[:, None]
    torn = np.where(line < 100, line, line + 1e4) % 1e4 + np.where(line < 100, 0, 5e3)
    folded = np.abs(line - 99.5) + 1e-3 * (line > 99.5)
    assert projection_quality(line, folded).continuity > projection_quality(line, folded).trustworthiness
    assert projection_quality(line, torn).trustworthiness > 0.99


def test_above_the_limit_a_seeded_sample_estimates_the_whole(space):
    flat = space[:, :2]
    whole, sample = projection_quality(space, flat), projection_quality(space, flat, max_rows=120, seed=1)
    assert (whole.rows, sample.rows) == (240, 120)
    assert sample.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.03)
    assert sample.continuity == pytest.approx(whole.continuity, abs=0.03)
    assert sample == projection_quality(space, flat, max_rows=120, seed=1)
    assert sample != projection_quality(space, flat, max_rows=120, seed=2)


def test_memory_does_not_follow_the_square_of_the_rows():
    space = np.random.default_rng(0).normal(size=(10_000, 4))
    tracemalloc.start()
    projection_quality(space, space[:, :2], neighbors=3, max_rows=400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.parametrize("neighbors", [0, 5, 9])
def test_neighbourhoods_must_be_smaller_than_half_the_rows(neighbors):
    with pytest.raises(OptionError, match="fewer than half of the 10 rows"):
        projection_quality(np.eye(10), np.eye(10)[:, :2], neighbors=neighbors)


def test_a_sample_of_no_rows_is_refused():
    with pytest.raises(OptionError, match="max_rows is 0"):
        projection_quality(np.eye(10), np.eye(10)[:, :2], neighbors=2, max_rows=0)


def test_the_map_must_have_the_same_rows_and_finite_points():
    with pytest.raises(DataError, match="10 rows and the map 9"):
        projection_quality(np.eye(10), np.eye(9), neighbors=2)
    with pytest.raises(DataError, match=r"Row 1 .* of the points of the map"):
        projection_quality(np.eye(10), np.where(np.arange(10) == 1, np.nan, 0.0)[:, None], neighbors=2)
