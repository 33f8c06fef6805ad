import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from lmcore.tasks.metrics import score_classes

LABELS = ("a", "b", "c", "d")


def drawn(rows, classes=4, right=0.7, seed=0):
    rng = np.random.default_rng(seed)
    gold = rng.choice(classes, rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    return gold, np.where(rng.random(rows) < right, gold, rng.integers(0, classes, rows))


def by_class(scores, metric):
    table = scores.tables["by_class"]
    return table[table["metric"] == metric].set_index("label")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [1, 2, 7, 300])
def test_equals_scikit_learn(rows, seed):
    gold, predicted = drawn(rows, seed=seed)
    scores = score_classes(gold, predicted, LABELS)
    macro = precision_recall_fscore_support(gold, predicted, average="macro", zero_division=0)
    assert scores.metrics["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    for name, value in zip(("precision", "recall", "f1"), macro[:3], strict=True):
        assert scores.metrics[f"{name}_macro"] == pytest.approx(value)
    each = precision_recall_fscore_support(gold, predicted, labels=range(4), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), each[:3], strict=True):
        assert by_class(scores, name)["value"].tolist() == pytest.approx(values)
    assert by_class(scores, "f1")["rows"].tolist() == each[3].tolist()
    cells = scores.tables["confusion"].pivot(index="gold", columns="predicted", values="rows").to_numpy()
    assert (cells == confusion_matrix(gold, predicted, labels=range(4))).all()


def test_known_values():
    scores = score_classes(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ("n", "y"))
    assert scores.metrics == pytest.approx(
        {"accuracy": 0.75, "precision_macro": 0.75, "recall_macro": 5 / 6, "f1_macro": (0.8 + 2 / 3) / 2}
    )


def test_a_class_that_never_occurs_does_not_weigh_on_the_average():
    scores = score_classes(np.array([0, 1]), np.array([0, 1]), ("a", "b", "never"))
    assert scores.metrics["f1_macro"] == 1.0
    assert by_class(scores, "f1").loc["never", ["value", "rows"]].tolist() == [0, 0]


def test_intervals_hold_the_value_and_shrink_with_more_rows():
    widths = []
    for rows in (50, 500, 5000):
        scores = score_classes(*drawn(rows), LABELS)
        for name, (low, high) in scores.intervals.items():
            assert 0 <= low <= scores.metrics[name] <= high <= 1
        table = scores.tables["by_class"]
        assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
        low, high = scores.intervals["accuracy"]
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_intervals_are_those_of_resampling_the_rows():
    gold, predicted = drawn(200)
    rng = np.random.default_rng(1)
    drawn_rows = [rng.integers(0, 200, 200) for _ in range(400)]
    found = [score_classes_point(gold[rows], predicted[rows]) for rows in drawn_rows]
    scores = score_classes(gold, predicted, LABELS, seed=2)
    for number, name in enumerate(("accuracy", "f1_macro")):
        low, high = np.percentile([values[number] for values in found], [2.5, 97.5])
        assert scores.intervals[name] == pytest.approx((low, high), abs=0.02)


def score_classes_point(gold, predicted):
    macro = precision_recall_fscore_support(gold, predicted, average="macro", zero_division=0)
    return accuracy_score(gold, predicted), macro[2]


def test_perfect_predictions_have_no_width_and_the_seed_decides_the_rest():
    gold, predicted = drawn(100)
    assert score_classes(gold, gold, LABELS).intervals["accuracy"] == (1.0, 1.0)
    one, same, other = (score_classes(gold, predicted, LABELS, seed=seed).intervals for seed in (1, 1, 2))
    assert one == same
    assert one != other
