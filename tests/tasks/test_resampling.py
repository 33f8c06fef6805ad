import numpy as np
import pytest

from lmcore.tasks.resampling import RESAMPLES, mean_intervals, resampled_sums, row_weights


def test_each_resample_draws_as_many_rows_as_there_are():
    weights = np.concatenate(list(row_weights(7, seed=0)))
    assert weights.shape == (RESAMPLES, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean() == pytest.approx(1)


def test_many_rows_come_in_several_chunks_and_small_ones_in_one():
    assert [len(part) for part in row_weights(3_000_000, seed=0, resamples=3)] == [1, 1, 1]
    assert [len(part) for part in row_weights(3, seed=0)] == [RESAMPLES]


def test_sums_are_of_the_rows_drawn():
    rows = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    sums = resampled_sums(rows, seed=1)
    assert (sums[:, 1] == 10 * sums[:, 0]).all()
    assert sums[:, 0].min() >= 3
    assert sums[:, 0].max() <= 12
    assert (resampled_sums(rows, seed=1) == sums).all()


def test_the_interval_of_a_mean_is_the_normal_one_where_rows_are_many():
    values = np.random.default_rng(0).normal(3, 2, (900, 1))
    low, high = mean_intervals(values, seed=0)[:, 0]
    half = 1.96 * values.std() / 30
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)
