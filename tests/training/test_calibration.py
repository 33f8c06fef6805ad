from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from lmcore.errors import UnknownError
from lmcore.training.calibration import auroc, brier, calibration, equal_mass, probabilities
from tests.training.judged import LABELS, calibrated, evaluation


def found(rows=600, **options):
    return calibration(evaluation(*calibrated(rows, **options)))


def test_the_measures_are_scikit_learns():
    gold, p = calibrated(300, temperature=0.5)
    measured = calibration(evaluation(gold, p))
    names = np.array(LABELS)[gold]
    assert measured.value("brier") == pytest.approx(brier_score_loss(names, p, labels=LABELS, scale_by_half=False))
    assert measured.value("nll") == pytest.approx(log_loss(names, p, labels=LABELS))
    assert measured.value("auroc") == pytest.approx(roc_auc_score(names, p, multi_class="ovr", labels=LABELS))
    table = measured.measures
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_the_error_is_the_mean_gap_between_confidence_and_accuracy_over_bins_of_equal_size():
    gold, p = calibrated(200, temperature=0.5)
    measured = calibration(evaluation(gold, p))
    order = np.argsort(p.max(axis=1))
    right = (p.argmax(axis=1) == gold).astype(float)
    parts = np.array_split(order, 10)
    wanted = sum(abs(right[part].mean() - p.max(axis=1)[part].mean()) * len(part) / 200 for part in parts)
    assert measured.value("ece") == pytest.approx(wanted, abs=1e-6)
    assert measured.bins["rows"].tolist() == [20] * 10
    assert measured.bins["confidence"].is_monotonic_increasing
    assert measured.bins["accuracy"].tolist() == pytest.approx([right[part].mean() for part in parts])


def test_exact_probabilities_are_not_blamed_and_sharpened_ones_are():
    exact, sharp, flat = found(), found(temperature=0.4), found(temperature=2.5)
    assert exact.value("ece") <= exact.limit
    assert "No miscalibration can be told from chance" in exact.verdict
    assert sharp.value("ece") > sharp.limit
    assert sharp.overconfidence > 0.05
    assert "too sure of itself" in sharp.verdict
    assert flat.overconfidence < -0.05
    assert "less sure than it could be" in flat.verdict


def test_the_interval_of_the_error_reaches_down_to_no_error_where_there_is_none():
    lows = [found(200, seed=seed).measures["low"].iloc[0] for seed in range(8)]
    assert sum(low == 0 for low in lows) >= 6
    assert found(600, temperature=0.4).measures["low"].iloc[0] > 0.03


def test_chance_alone_makes_an_error_that_shrinks_with_the_rows():
    few, many = found(50), found(1000)
    assert few.by_chance > 2 * many.by_chance
    assert few.by_chance < few.limit


def test_bins_keep_equal_values_together_and_have_ten_rows():
    assert equal_mass(np.array([0.5] * 30)).tolist() == [0] * 30
    assert len(np.unique(equal_mass(np.linspace(0, 1, 35)))) == 3
    assert np.bincount(equal_mass(np.linspace(0, 1, 1000))).tolist() == [100] * 10
    assert equal_mass(np.array([0.3])).tolist() == [0]
    tied = equal_mass(np.repeat([0.2, 0.9], [15, 25]))
    assert len(set(tied[:15])) == 1
    assert len(set(tied[15:])) == 1


def test_auroc_of_ties_and_of_classes_without_a_row():
    gold = np.array([0, 1, 0, 1, 1])
    p = np.array([[0.5, 0.5, 0.0]] * 3 + [[0.2, 0.8, 0.0]] * 2)
    assert auroc(p, gold)[0] == pytest.approx(roc_auc_score(gold, p[:, 1]))
    assert auroc(np.full((4, 3), 1 / 3), np.array([0, 1, 2, 0]))[0] == 0.5
    assert all(np.isnan(auroc(p, np.zeros(5, dtype=int))))


def test_the_interval_of_the_auroc_equals_a_loop_over_resampled_rows():
    gold, p = calibrated(150, classes=2)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(400):
        rows = rng.integers(0, len(gold), len(gold))
        values.append(roc_auc_score(gold[rows], p[rows, 1]))
    assert auroc(p, gold)[1:] == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)


def test_the_brier_score_runs_from_0_to_2():
    p = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    assert brier(p, np.array([0, 1, 0])).tolist() == [0.0, 2.0, 0.5]


def test_perfect_and_single_predictions():
    gold = np.arange(30) % 3
    sure = calibration(evaluation(gold, np.eye(3)[gold]))
    assert (sure.value("ece"), sure.value("brier"), sure.value("auroc")) == (0.0, 0.0, 1.0)
    assert calibration(evaluation(gold[:1], np.eye(3)[gold[:1]])).parameters["bins"] == 1


def test_the_seed_decides():
    made = evaluation(*calibrated(100))
    assert calibration(made, seed=1).measures.equals(calibration(made, seed=1).measures)
    assert not calibration(made, seed=1).measures.equals(calibration(made, seed=2).measures)


def test_probabilities_come_in_the_order_of_the_labels():
    gold, p = calibrated(20)
    read, classes = probabilities(evaluation(gold, p))
    assert np.array_equal(read, p)
    assert np.array_equal(classes, gold)
    with pytest.raises(UnknownError, match="no task 'poetry'"):
        probabilities(replace(evaluation(gold, p), task="poetry"))
