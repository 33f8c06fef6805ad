from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lmcore.errors import InputError
from lmcore.tasks.figures import Metric
from lmcore.training.comparison import compare, points
from tests.training.judged import evaluation, noisy

GOLD = np.arange(400) % 3


def version(number, right, **changes):
    return evaluation(GOLD, noisy(GOLD, right, seed=number), version=f"models:/made/{number}", **changes)


def difference(found, metric="accuracy"):
    return found.differences[found.differences["metric"] == metric].iloc[0]


def test_a_clearly_better_version_is_named_with_the_difference_and_its_interval():
    found = compare([version(1, 0.7), version(2, 0.9)])
    row = difference(found, "f1_macro")
    assert row["clear"]
    assert 0 < row["low"] < row["difference"] < row["high"]
    (said,) = found.verdicts()
    assert said.startswith("models:/made/2 is better than models:/made/1 by ")
    assert f"{100 * row['difference']:.1f} points of Macro F1 (95 % interval {100 * row['low']:.1f} to " in said
    (turned,) = compare([version(2, 0.9), version(1, 0.7)]).verdicts()
    assert turned == said


def test_versions_that_are_alike_are_not_told_apart():
    found = compare([version(1, 0.8), version(2, 0.8)])
    assert not difference(found)["clear"]
    assert found.verdicts()[0].startswith(
        "There is no clear difference between models:/made/1 and models:/made/2: Macro F1"
    )
    same = compare([version(1, 0.8), replace(version(1, 0.8), version="models:/made/9")])
    assert tuple(difference(same)[["difference", "low", "high"]]) == (0, 0, 0)
    assert same.disagreements.empty


def test_the_figures_are_those_of_the_evaluations():
    both = [version(1, 0.7), version(2, 0.9)]
    found = compare(both).figures.set_index(["version", "metric"])
    for each in both:
        for name, value in each.metrics.items():
            row = found.loc[(each.version, name)]
            assert row["value"] == pytest.approx(value)
            assert (row["low"], row["high"]) == pytest.approx(each.intervals[name], abs=0.01)


def test_the_interval_equals_a_loop_over_resampled_rows():
    one, two = version(1, 0.7), version(2, 0.8)
    labels = [each.predictions["label"].to_numpy() for each in (one, two)]
    gold = one.predictions["gold"].to_numpy()
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        rows = rng.integers(0, len(gold), len(gold))
        figures = [f1_score(gold[rows], said[rows], average="macro") for said in labels]
        found.append(figures[1] - figures[0])
    row = difference(compare([one, two]), "f1_macro")
    assert (row["low"], row["high"]) == pytest.approx(np.percentile(found, [2.5, 97.5]), abs=0.015)


def test_pairing_tells_apart_what_two_intervals_do_not():
    p = noisy(GOLD, 0.75, seed=1)
    better = p.copy()
    wrong = np.flatnonzero(p.argmax(axis=1) != GOLD)[:12]
    better[wrong] = np.eye(3)[GOLD[wrong]]
    one, two = evaluation(GOLD, p), evaluation(GOLD, better, version="models:/made/2")
    assert one.intervals["accuracy"][1] > two.metrics["accuracy"] > one.metrics["accuracy"]
    row = difference(compare([one, two]))
    assert row["clear"]
    assert row["difference"] == pytest.approx(12 / 400)


def test_several_pairs_take_wider_intervals():
    three = [version(1, 0.7), version(2, 0.75), version(3, 0.9)]
    found, pair = compare(three), compare(three[:2])
    assert found.parameters["level"] == pytest.approx(1 - 0.05 / 3)
    assert len(found.verdicts()) == 3
    assert difference(found)["low"] < difference(pair)["low"]
    assert "98.33 % interval" in found.verdicts()[0]


def test_rows_on_which_they_disagree_are_listed_with_every_answer():
    one, two = version(1, 0.7), version(2, 0.9)
    rows = compare([one, two]).disagreements
    right = one.predictions["correct"] != two.predictions["correct"]
    assert rows["id"].tolist() == one.predictions["id"][right].tolist()
    assert rows["models:/made/1"].tolist() == one.predictions["label"][right].tolist()


def test_the_order_of_the_rows_does_not_matter():
    one, two = version(1, 0.7), version(2, 0.9)
    turned = replace(two, predictions=two.predictions.iloc[::-1])
    assert compare([one, turned]).differences.equals(compare([one, two]).differences)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: [e], "needs two versions at least"),
        (lambda e: [e, e], "models:/made/1 is named twice"),
        (lambda e: [e, replace(version(2, 0.8), task="other")], "does text-classification and models:/made/2 other"),
        (
            lambda e: [e, evaluation(GOLD[:5], noisy(GOLD[:5], 1.0), version="models:/made/2", data="made@2:dev")],
            r"400 rows of made@1:test and models:/made/2 on 5 other rows of made@2:dev: evaluate both on the same data set",
        ),
        (lambda e: [e, version(2, 0.8, texts=["changed"] * 400)], "other rows"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(change, said):
    with pytest.raises(InputError, match=said):
        compare(change(version(1, 0.8)))


def test_differences_are_in_points_of_shares_and_else_in_the_metrics_unit():
    assert points(Metric("a", "A"), 0.0123) == "1.2"
    assert points(Metric("b", "BLEU", maximum=100), 1.23, sign=True) == "+1.2"
    assert points(Metric("p", "Perplexity", maximum=None, higher=False), -1.23) == "-1.2"
