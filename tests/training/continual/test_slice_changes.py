import numpy as np
import pytest

from lmcore.training.continual.slice_changes import compare_slices, paired_interval
from tests.training.judged import evaluation, noisy


def flags(both, lost, won, neither):
    before = np.repeat([True, True, False, False], [both, lost, won, neither])
    after = np.repeat([True, False, True, False], [both, lost, won, neither])
    return before, after


def test_the_interval_turns_with_the_order_and_has_a_width_where_nothing_changed():
    before, after = flags(30, 9, 2, 9)
    low, high = paired_interval(before, after)
    assert low < -7 / 50 < high
    assert paired_interval(after, before) == pytest.approx((-high, -low))
    low, high = paired_interval(*flags(12, 0, 0, 0))
    assert low < 0 < high
    assert low == pytest.approx(-high)
    assert paired_interval(*flags(0, 3, 0, 0))[0] >= -1


@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.05, 0.1), (0.9, 0.08, 0.01, 0.01), (0.3, 0.2, 0.2, 0.3)])
def test_the_interval_holds_what_it_says(shares):
    rng = np.random.default_rng(0)
    truth, hits = shares[2] - shares[1], 0
    for counts in rng.multinomial(40, shares, size=1500):
        low, high = paired_interval(*flags(*counts))
        hits += low <= truth <= high
    assert 0.93 <= hits / 1500 <= 0.99


def test_a_slice_that_got_worse_is_flagged_and_the_others_are_not():
    rng = np.random.default_rng(1)
    gold = rng.integers(3, size=300)
    before = noisy(gold, 0.95, seed=2)
    after = before.copy()
    hit = gold == 1
    after[hit] = np.roll(before[hit], 1, axis=1)
    frame = compare_slices(
        evaluation(gold, before, version="models:/made/1"), evaluation(gold, after, version="models:/made/2")
    ).set_index(["by", "slice"])
    assert bool(frame.loc[("label", "fair"), "clear"])
    assert not bool(frame.loc[("label", "fair"), "better"])
    assert frame.loc[("label", "good"), "difference"] == 0
    assert not frame.loc[("label", "good"), "clear"]
    assert (frame["difference"] == frame["after"] - frame["before"]).all()
