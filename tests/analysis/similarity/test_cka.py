import numpy as np
import pytest

from lmcore.analysis import debiased_cka, linear_cka, rbf_cka
from lmcore.analysis.similarity.cka import debiased_pairs, linear_pairs, rbf_pairs
from lmcore.errors import InputError, OptionError
from tests.analysis.similarity.made import (
    aligned,
    debiased_by_definition,
    gaussian,
    hsic_unbiased,
    invertible,
    normal,
    related,
    rotation,
)

MEASURES = {
    "linear": linear_cka,
    "debiased": debiased_cka,
    "rbf": rbf_cka,
    "rbf, local": lambda x, y: rbf_cka(x, y, 0.3),
    "rbf, debiased": lambda x, y: rbf_cka(x, y, 0.8, debiased=True),
}
every = pytest.mark.parametrize("cka", MEASURES.values(), ids=MEASURES)


@pytest.mark.parametrize(("rows", "features"), [(40, 6), (7, 40)])
def test_each_equals_its_definition_by_kernels(rows, features):
    x, y = related(rows, features, features + 3)
    assert linear_cka(x, y) == pytest.approx(aligned(x @ x.T, y @ y.T), abs=1e-10)
    assert debiased_cka(x, y) == pytest.approx(debiased_by_definition(x, y), abs=1e-10)
    for threshold in (0.2, 0.8, 3.0):
        k, m = gaussian(x, threshold), gaussian(y, threshold)
        assert rbf_cka(x, y, threshold) == pytest.approx(aligned(k, m), abs=1e-10)
        wanted = hsic_unbiased(k, m) / np.sqrt(hsic_unbiased(k, k) * hsic_unbiased(m, m))
        assert rbf_cka(x, y, threshold, debiased=True) == pytest.approx(wanted, abs=1e-10)


def test_values_by_hand():
    x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[0.0], [0.0], [0.0], [4.0]])
    # Centred: (-3, -1, 1, 3) / 2 and (-1, -1, -1, 3); for one feature CKA is the squared correlation, 6² / (5 · 12).
    assert linear_cka(x, y) == pytest.approx(36 / 60)
    # HSIC₁ times n (n - 3) of centred features: (Σ xy)² - n / (n - 2) Σ x²y² + Σx² Σy² / ((n - 1) (n - 2)).
    # xy: 36 - 2 · 23 + 60 / 6 = 0: y tells one example from three that are alike, and does so in no pair without it.
    assert debiased_cka(x, y) == pytest.approx(0.0, abs=1e-12)
    # z centred (-1, -1, 1, 1) / 2: xx 25 - 2 · 10.25 + 25 / 6, zz 1 - 2 · .25 + 1 / 6, xz 4 - 2 · 1.25 + 5 / 6.
    z = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert debiased_cka(x, z) == pytest.approx((4 - 2.5 + 5 / 6) / np.sqrt((25 - 20.5 + 25 / 6) * (1 - 0.5 + 1 / 6)))
    # Three points on a line: nine distances 0 0 0 1 1 1 1 4 4, their median 1, so K = e^{-d² / 2} with t = 1.
    line, near, far = np.array([[0.0], [1.0], [2.0]]), np.exp(-0.5), np.exp(-2.0)
    k = np.array([[1, near, far], [near, 1, near], [far, near, 1]])
    m = (
        np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]) * 1.0
    )  # 0 0 5: five of nine distances are 0, so only the same are alike
    assert rbf_cka(line, np.array([[0.0], [0.0], [5.0]]), 1.0) == pytest.approx(aligned(k, m), abs=1e-12)


@every
def test_rotation_scaling_and_shift_do_not_matter_but_a_linear_map_does(cka):
    x, y = related(50, 8, 8)
    turned = rotation(8)
    assert cka(x, x) == pytest.approx(1.0)
    assert cka(x, 3 * x @ turned + 7) == pytest.approx(1.0)
    assert cka(2 * x @ turned - 1, y) == pytest.approx(cka(x, y), abs=1e-9)
    assert cka(x, x @ invertible(8)) < 0.9
    assert cka(x, y) == pytest.approx(cka(y, x), abs=1e-12)


@every
@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_the_size_of_the_values_does_not_matter(cka, size):
    x, y = related(30, 4, 4)
    assert cka(x * size, y) == pytest.approx(cka(x, y))
    assert cka(x * size, x * size) == pytest.approx(1.0)


@every
def test_a_constant_is_like_nothing_whatever_its_rounding(cka):
    assert cka(np.full((7, 3), 0.1), np.full((7, 3), 0.1)) == 0.0
    assert cka(np.full((7, 3), 1e9 / 3), normal(7, 3)) == 0.0
    assert cka(normal(7, 3), np.ones((7, 1), dtype=int)) == 0.0


@every
def test_a_constant_feature_adds_nothing(cka):
    x, y = related(20, 4, 4)
    assert cka(np.column_stack([x, np.full(20, 1e3)]), y) == pytest.approx(cka(x, y), abs=1e-9)


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_and_not_taken_for_unlike(cka, bad):
    x = normal(6, 3)
    x[4, 1] = bad
    for pair in ((x, normal(6, 3)), (normal(6, 3), x)):
        with pytest.raises(InputError, match="NaN or infinite"):
            cka(*pair)


def test_what_shares_nothing_is_near_zero():
    assert linear_cka(normal(5000, 3), normal(5000, 3, seed=1)) < 0.01
    assert linear_cka(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [1.0], [-1.0], [-1.0]])) == 0.0
    assert linear_cka(np.ones((4, 2)), normal(4, 2)) == 0.0


def test_only_the_unbiased_estimates_stay_near_zero_where_features_are_many():
    pairs = [(normal(20, 200, seed=seed), normal(20, 200, seed=seed + 100)) for seed in range(20)]
    biased = [linear_cka(x, y) for x, y in pairs]
    debiased = [debiased_cka(x, y) for x, y in pairs]
    assert min(biased) > 0.8
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / np.sqrt(20) < 0.1
    assert min(debiased) < 0 < max(debiased)
    assert abs(np.mean([rbf_cka(x, y, 0.8, debiased=True) for x, y in pairs])) < 0.05 < rbf_cka(*pairs[0])


def test_the_debiased_value_meets_the_plain_one_where_examples_are_many():
    x, y = related(3000, 6, 6)
    assert debiased_cka(x, y) == pytest.approx(linear_cka(x, y), abs=2e-3)


def test_pairs_that_are_all_alike_share_nothing_without_bias():
    corners = np.eye(6)  # every two are equally far apart
    assert debiased_cka(corners, normal(6, 3)) == 0.0
    assert debiased_pairs(corners).compare(debiased_pairs(normal(6, 3))) == 0.0
    assert linear_cka(corners, corners) == pytest.approx(1.0)


def test_a_gaussian_kernel_sees_neighbours_that_a_linear_one_does_not():
    angle = np.linspace(0, 4 * np.pi, 80)
    spiral = np.column_stack([angle * np.cos(angle), angle * np.sin(angle)])
    along = angle[:, None]
    assert rbf_cka(spiral, along, 0.2) > 2 * linear_cka(spiral, along)


def test_large_float32_values_keep_their_digits():
    x = (normal(60, 5) + 1e3).astype(np.float32)
    for cka in MEASURES.values():
        assert cka(x, x * np.float32(1024)) == pytest.approx(1.0, abs=1e-9)
        assert cka(x, x.astype(np.float64)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y"), [((3, 2), (4, 2)), ((1, 2), (1, 2)), ((4,), (4,)), ((4, 0), (4, 2)), ((0, 2), (0, 2))]
)
def test_other_shapes_are_refused(x, y):
    with pytest.raises(InputError, match="the same examples, at least 2"):
        linear_cka(np.ones(x), np.ones(y))


def test_too_few_examples_are_refused_with_their_number():
    for rows, cka, fewest in ((3, debiased_cka, 4), (2, rbf_cka, 3), (3, MEASURES["rbf, debiased"], 4)):
        with pytest.raises(InputError, match=f"at least {fewest}"):
            cka(normal(rows, 5), normal(rows, 5))


@pytest.mark.parametrize("bad", [[["a", "b"]] * 5, [[1.0], [1.0, 2.0], [3.0]]])
def test_what_is_no_array_of_numbers_is_refused(bad):
    with pytest.raises(InputError, match="no numbers"):
        linear_cka(bad, normal(5, 2))


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_a_width_of_nothing_is_refused(threshold):
    with pytest.raises(OptionError, match="above 0"):
        rbf_cka(normal(5, 2), normal(5, 2), threshold)


@pytest.mark.parametrize(("rows", "features"), [(30, 5), (12, 40)])
def test_pairs_compare_as_the_measures_do(rows, features):
    x, y = related(rows, features, features)
    assert linear_pairs(x).compare(linear_pairs(y)) == pytest.approx(linear_cka(x, y), abs=1e-12)
    assert debiased_pairs(x).compare(debiased_pairs(y)) == pytest.approx(debiased_cka(x, y), abs=1e-12)
    order = np.random.default_rng(0).permutation(rows)
    one, two = (rbf_pairs(a, threshold=0.5, debiased=True) for a in (x, y))
    assert one.compare(two.shuffled(order)) == pytest.approx(rbf_cka(x, y[order], 0.5, debiased=True), abs=1e-12)
    assert linear_pairs(x).compare(linear_pairs(y).shuffled(order)) == pytest.approx(linear_cka(x, y[order]), abs=1e-12)
