import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.tasks.metrics import score_classes, tally_classes
from lmcore.tasks.resampling import MOST_RESAMPLES, RESAMPLES, middle, resampled_sums, wilson
from lmcore.tasks.tally import Tally

LABELS = ("a", "b", "c")


def drawn(rows=200, right=0.7, seed=0):
    rng = np.random.default_rng(seed)
    gold = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    return gold, np.where(rng.random(rows) < right, gold, rng.integers(0, 3, rows))


def named(indices):
    return [LABELS[i] for i in indices]


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_classes_are_scikit_learns_for_all_rows_and_for_any_part(seed):
    gold, predicted = drawn(seed=seed)
    tally = tally_classes(named(gold), named(predicted))
    part = np.arange(len(gold)) % 3 > 0
    for chosen, found in ((slice(None), tally.figures()), (part, tally.part(part).figures())):
        macro = precision_recall_fscore_support(gold[chosen], predicted[chosen], average="macro", zero_division=0)
        assert next(iter(found)) == "accuracy"
        assert found["accuracy"] == pytest.approx(accuracy_score(gold[chosen], predicted[chosen]))
        assert [found[f"{name}_macro"] for name in ("precision", "recall", "f1")] == pytest.approx(list(macro[:3]))


def test_the_interval_is_the_one_of_the_evaluation():
    gold, predicted = drawn()
    tally = tally_classes(named(gold), named(predicted))
    values = tally.read(resampled_sums(tally.rows, seed=1))
    wanted = score_classes(gold, predicted, LABELS).intervals
    for name in ("accuracy", "f1_macro"):
        assert middle(values[name]) == pytest.approx(wanted[name], abs=0.012)


def test_resampled_sums_have_the_mean_and_the_spread_of_the_bootstrap():
    rows = np.random.default_rng(0).normal(2.0, 3.0, (400, 2))
    sums = resampled_sums(rows, seed=0)
    assert sums.shape == (MOST_RESAMPLES, 2)
    assert sums.mean(axis=0) == pytest.approx(rows.sum(axis=0), abs=2.5)
    assert sums.std(axis=0) == pytest.approx(rows.std(axis=0) * np.sqrt(400), rel=0.03)
    assert np.corrcoef(sums.T)[0, 1] == pytest.approx(np.corrcoef(rows.T)[0, 1], abs=0.05)


def test_the_seed_decides_and_many_different_rows_take_fewer_resamples():
    rows = np.random.default_rng(0).normal(size=(30, 1))
    assert np.array_equal(resampled_sums(rows, seed=3), resampled_sums(rows, seed=3))
    assert not np.array_equal(resampled_sums(rows, seed=3), resampled_sums(rows, seed=4))
    many = np.arange(25_000, dtype=float)[:, None]
    assert len(resampled_sums(many, seed=0)) == RESAMPLES
    same = np.ones((5, 2))
    assert (resampled_sums(same, seed=0) == 5).all()


@pytest.mark.parametrize(("hits", "rows"), [(0, 3), (3, 3), (7, 10), (40, 200)])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_interval_of_a_share_is_wilsons(hits, rows, level):
    wanted = binomtest(hits, rows).proportion_ci(level, method="wilson")
    assert wilson(hits, rows, level) == pytest.approx((wanted.low, wanted.high))


def test_the_middle_leaves_out_what_is_not_known():
    assert middle(np.array([np.nan, 1.0, 2.0, 3.0]), 0.5) == (1.5, 2.5)
    assert all(np.isnan(middle(np.array([np.nan]))))


def test_a_task_without_a_tally_of_its_own_is_judged_by_the_rows_that_are_right():
    table = pd.DataFrame({"correct": [True, False, True, True]})
    tally = Task.tally(load_task("text-classification"), table)
    assert tally.figures() == {"share_right": 0.75}
    assert load_task("text-classification").metric("share_right").title == "Share right"
    assert isinstance(tally, Tally)
