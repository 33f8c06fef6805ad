import numpy as np
import pytest

from lmcore.analysis.concepts.significance import bonferroni, false_discovery, two_sided


def test_the_share_of_draws_at_least_as_far_from_nothing():
    by_chance = np.array([-3.0, -1.0, 0.5, 2.0])
    assert [two_sided(value, by_chance) for value in (4, -4, 2, -2, 0)] == [1 / 5, 1 / 5, 3 / 5, 3 / 5, 1]


def test_corrections_have_their_known_values():
    p = np.array([0.01, 0.04, 0.03, 0.005])  # R: p.adjust(p, "bonferroni"), p.adjust(p, "BH")
    assert bonferroni(p) == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert false_discovery(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert bonferroni(np.array([0.6, 0.9])).tolist() == [1, 1]


def test_the_false_discovery_rate_is_scipys():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(50) ** 2
    assert false_discovery(p) == pytest.approx(false_discovery_control(p))
