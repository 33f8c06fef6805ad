import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from lmcore.tasks.label_sets import best_threshold, measure_label_sets, score_label_sets, weighted_auroc

LABELS = ("a", "b", "c")


@pytest.fixture
def rows():
    rng = np.random.default_rng(4)
    gold = rng.random((80, 3)) < (0.5, 0.2, 0.4)
    probabilities = np.clip(0.3 * gold + rng.random((80, 3)).round(1) * 0.7, 0, 1)
    return gold, probabilities > 0.5, probabilities


def test_the_metrics_equal_scikit_learns(rows):
    gold, predicted, probabilities = rows
    found = measure_label_sets(gold, predicted, probabilities)
    assert found == pytest.approx(
        {
            "f1_micro": f1_score(gold, predicted, average="micro"),
            "f1_macro": f1_score(gold, predicted, average="macro"),
            "exact_match": (gold == predicted).all(axis=1).mean(),
            "precision_micro": precision_score(gold, predicted, average="micro"),
            "recall_micro": recall_score(gold, predicted, average="micro"),
            "auroc_macro": roc_auc_score(gold, probabilities, average="macro"),
        }
    )


def test_a_score_has_the_same_figures_inside_intervals_that_resampling_gives(rows):
    gold, predicted, probabilities = rows
    scores = score_label_sets(gold, predicted, probabilities, LABELS, seed=0)
    assert scores.metrics == pytest.approx(measure_label_sets(gold, predicted, probabilities))
    rng, drawn = np.random.default_rng(1), []
    for _ in range(400):
        some = rng.integers(0, len(gold), len(gold))
        drawn.append(measure_label_sets(gold[some], predicted[some], probabilities[some]))
    for name, (low, high) in scores.intervals.items():
        assert low < scores.metrics[name] < high
        assert (low, high) == pytest.approx(np.percentile([d[name] for d in drawn], [2.5, 97.5]), abs=0.02), name


def test_every_label_has_its_line(rows):
    gold, predicted, probabilities = rows
    table = score_label_sets(gold, predicted, probabilities, LABELS, seed=0).tables["by_class"]
    f1 = table[table["metric"] == "f1"].set_index("label")
    assert f1["value"].to_dict() == pytest.approx(dict(zip(LABELS, f1_score(gold, predicted, average=None))))  # noqa: B905
    assert f1["rows"].tolist() == gold.sum(axis=0).tolist()
    assert (f1["low"] <= f1["value"]).all()


def test_nothing_true_and_nothing_given_is_right_but_has_no_f1():
    nothing = np.zeros((3, 2), dtype=bool)
    found = measure_label_sets(nothing, nothing, np.zeros((3, 2)))
    assert (found["exact_match"], found["f1_micro"], found["f1_macro"], found["auroc_macro"]) == (1, 0, 0, 0.5)


def test_the_auroc_of_weighted_rows_is_that_of_repeated_rows():
    rng = np.random.default_rng(2)
    gold, scores = rng.random(30) < 0.4, rng.random(30).round(1)
    weights = rng.integers(0, 4, (5, 30)).astype(float)
    wanted = [roc_auc_score(np.repeat(gold, w), np.repeat(scores, w)) for w in weights.astype(int)]
    assert weighted_auroc(gold, scores, weights) == pytest.approx(wanted)
    assert np.isnan(weighted_auroc(np.ones(3, dtype=bool), np.arange(3.0), np.ones((1, 3)))).all()


def test_the_best_threshold_is_the_best_of_all(rows):
    gold, _, probabilities = rows
    f1 = {t: f1_score(gold, probabilities > t, average="micro") for t in np.linspace(0, 1, 101)}
    chosen = best_threshold(gold, probabilities)
    assert f1_score(gold, probabilities > chosen, average="micro") == pytest.approx(max(f1.values()))
    assert best_threshold(np.array([[True]]), np.array([[0.2]])) == pytest.approx(0.1)
