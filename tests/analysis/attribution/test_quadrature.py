import numpy as np
import pytest

from lmcore.analysis.attribution.quadrature import clenshaw_curtis, embedding_path, gauss_legendre


@pytest.mark.parametrize("degree", range(8))
def test_polynomials_are_integrated_exactly(degree):
    for points, weights in (gauss_legendre(4), clenshaw_curtis(8)):
        assert weights @ points**degree == pytest.approx(1 / (degree + 1), abs=1e-14)


def test_three_points_of_clenshaw_curtis_are_simpsons_rule():
    points, weights = clenshaw_curtis(2)
    assert points == pytest.approx([0, 0.5, 1])
    assert weights == pytest.approx([1 / 6, 4 / 6, 1 / 6])


@pytest.mark.parametrize("rule", [clenshaw_curtis, embedding_path])
@pytest.mark.parametrize("panels", [4, 8, 16, 64])
def test_a_finer_rule_contains_the_points_of_a_coarser_one(rule, panels):
    coarse, _ = rule(panels)
    fine, weights = rule(2 * panels)
    assert fine[::2] == pytest.approx(coarse, abs=1e-15)
    assert (np.diff(fine) > 0).all()
    assert (weights > 0).all()
    assert (fine[0], fine[-1]) == (0.0, 1.0)


def test_the_moved_points_integrate_smooth_functions():
    points, weights = embedding_path(64)
    for function, integral in ((np.exp, np.e - 1), (lambda x: 1 / (1 + x), np.log(2)), (np.cos, np.sin(1))):
        assert weights @ function(points) == pytest.approx(integral, abs=1e-7)


def test_the_moved_points_find_a_bend_near_the_baseline_sooner():
    def bend(x):
        return 1 / ((x - 0.3) ** 2 + 0.01)

    width = np.sqrt(0.01)
    integral = (np.arctan(0.7 / width) + np.arctan(0.3 / width)) / width
    errors = [abs(weights @ bend(points) - integral) for points, weights in (clenshaw_curtis(16), embedding_path(16))]
    assert errors[1] < errors[0] / 3
