import numpy as np
import pytest

from lmcore.analysis import pwcca, svcca
from lmcore.analysis.similarity.cca import pwcca_directions, svcca_directions
from lmcore.errors import InputError, OptionError
from tests.analysis.similarity.made import canonical, invertible, normal, related, rotation, strongest


def test_svcca_is_the_mean_of_the_canonical_correlations():
    x, y = related(80, 8, 6)
    assert svcca(x, y, 1.0) == pytest.approx(canonical(x, y)[0].mean(), abs=1e-10)
    x, y = x * np.geomspace(1, 30, 8), y * np.geomspace(20, 1, 6)
    for variance in (0.5, 0.9, 0.99):
        wanted = canonical(strongest(x, variance), strongest(y, variance))[0].mean()
        assert svcca(x, y, variance) == pytest.approx(wanted, abs=1e-10)
    assert svcca(x, y) == svcca(x, y, 0.99)
    assert svcca(x, y) == pytest.approx(svcca(y, x), abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(8, 6), (6, 8), (7, 7)])
def test_pwcca_weighs_by_what_makes_up_the_first_side(first, second):
    x, y = related(80, first, second)
    correlations, variates = canonical(x, y)
    away = x - x.mean(axis=0)
    weights = np.array([sum(abs(h @ column) for column in away.T) for h in variates.T])
    assert pwcca(x, y) == pytest.approx((weights * correlations).sum() / weights.sum(), abs=1e-10)


def test_values_by_hand():
    # Orthogonal columns a, b, c of mean 0 and size 2: x spans a and b, y spans a and c.
    a, b, c = np.array([1, 1, -1, -1.0]), np.array([1, -1, 1, -1.0]), np.array([1, -1, -1, 1.0])
    x, y = np.column_stack([a, b]), np.column_stack([a, c])
    repeated = np.vstack([x, x]), np.vstack([y, y])
    assert svcca(*repeated, 1.0) == pytest.approx(0.5)  # correlations 1 and 0
    assert pwcca(*repeated) == pytest.approx(0.5)
    heavier = repeated[0] * [3.0, 1.0]
    assert svcca(heavier, repeated[1], 1.0) == pytest.approx(0.5)
    assert pwcca(heavier, repeated[1]) == pytest.approx(0.75)  # a makes up three of four parts of x
    assert svcca(heavier, repeated[1], 0.9) == pytest.approx(1.0)  # b holds a tenth of the variance, and a is in both
    assert svcca(np.vstack([a[:, None]] * 2), np.vstack([(a + b)[:, None]] * 2), 1.0) == pytest.approx(np.sqrt(0.5))


def test_cca_is_the_same_after_any_invertible_map_and_svcca_is_not():
    x, y = related(120, 8, 8)
    x = x * np.geomspace(1, 20, 8)
    turned, mapped = rotation(8), invertible(8)
    assert svcca(x, x @ mapped + 3, 1.0) == pytest.approx(1.0)
    assert svcca(x @ mapped, y @ invertible(8, 9), 1.0) == pytest.approx(svcca(x, y, 1.0), abs=1e-9)
    assert svcca(5 * x @ turned - 2, y, 0.9) == pytest.approx(svcca(x, y, 0.9), abs=1e-9)
    assert abs(svcca(x @ np.diag(np.geomspace(20, 1, 8) ** 2), y, 0.9) - svcca(x, y, 0.9)) > 0.01


def test_pwcca_is_the_same_after_a_map_of_the_second_side_and_not_of_the_first():
    x, y = related(120, 8, 8)
    x = x * np.geomspace(1, 20, 8)
    assert pwcca(x, y @ invertible(8) + 1) == pytest.approx(pwcca(x, y), abs=1e-9)
    assert pwcca(4 * x + 2, y) == pytest.approx(pwcca(x, y), abs=1e-9)
    assert pwcca(x, x @ invertible(8)) == pytest.approx(1.0)
    assert abs(pwcca(x @ rotation(8), y) - pwcca(x, y)) > 1e-4
    assert abs(pwcca(x @ invertible(8), y) - pwcca(x, y)) > 1e-3
    assert abs(pwcca(x, y) - pwcca(y, x)) > 1e-3


@pytest.mark.parametrize("cca", [svcca, pwcca])
def test_fewer_examples_than_directions_are_refused_since_every_correlation_is_1(cca):
    x, y = normal(20, 30), normal(20, 30, seed=1)
    with pytest.raises(
        InputError, match=r"With 20 examples and 19 directions every canonical correlation is 1.* more than 20"
    ):
        cca(x, y, 1.0)
    with pytest.raises(InputError, match="every canonical correlation is 1"):
        cca(normal(20, 3), y, 1.0)
    assert 0 < cca(x, y, 0.3) < 1
    assert 0 < cca(normal(200, 30), normal(200, 30, seed=1), 1.0) < 0.6


@pytest.mark.parametrize("cca", [svcca, pwcca])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_features_that_repeat_others_add_no_direction(cca, kind):
    x, y = (a.astype(kind) for a in related(90, 5, 5))
    double = np.column_stack([x, x * kind(2), np.full(90, kind(3)), x[:, 0]])
    assert svcca(double, y, 1.0) == pytest.approx(svcca(x, y, 1.0), abs=1e-4 if kind is np.float16 else 1e-9)
    assert len(pwcca_directions(double, variance=1.0).directions.sizes) == 5
    assert cca(np.full((90, 4), kind(0.1)), y, 1.0) == 0.0
    assert cca(x, np.zeros((90, 4), dtype=kind), 1.0) == 0.0


def test_rounding_of_float32_far_from_zero_is_no_direction():
    flat = np.outer(normal(100), normal(6, seed=1)) + 1e4  # one direction, and 1e-3 of rounding around it
    assert len(svcca_directions(flat.astype(np.float32), variance=1.0).directions.sizes) == 1
    assert len(svcca_directions(flat, variance=1.0).directions.sizes) == 1


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_the_size_of_the_values_does_not_matter(size):
    x, y = related(60, 5, 5)
    assert svcca(x * size, y) == pytest.approx(svcca(x, y))
    assert pwcca(x * size, y) == pytest.approx(pwcca(x, y))


@pytest.mark.parametrize("cca", [svcca, pwcca])
def test_bad_input_is_refused(cca):
    with pytest.raises(InputError, match="NaN or infinite"):
        cca(np.full((9, 2), np.nan), normal(9, 2))
    with pytest.raises(InputError, match="the same examples, at least 3"):
        cca(normal(9, 2), normal(8, 2))
    for variance in (0.0, 1.5, float("nan")):
        with pytest.raises(OptionError, match="share of the variance"):
            cca(normal(9, 2), normal(9, 2), variance)


def test_shuffled_directions_are_those_of_shuffled_examples():
    x, y = related(50, 6, 5)
    order = np.random.default_rng(1).permutation(50)
    one, two = svcca_directions(x, variance=0.9), svcca_directions(y, variance=0.9)
    assert one.compare(two.shuffled(order)) == pytest.approx(svcca(x, y[order], 0.9), abs=1e-10)
