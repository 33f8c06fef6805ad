import numpy as np
import pytest

from lmcore.tasks.ratios import bootstrap, divided


def mean(sums):
    return {"mean": divided(sums["value"], sums["count"], float("nan"))}


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(3).normal(5, 2, 400)
    low, high = bootstrap({"value": values, "count": np.ones(400)}, mean, seed=0)["mean"]
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)
    assert bootstrap({"value": values, "count": np.ones(400)}, mean, seed=0)["mean"] == (low, high)


def test_a_figure_without_a_value_has_no_interval():
    assert bootstrap({"value": np.zeros(3), "count": np.zeros(3)}, mean, seed=0) == {}
