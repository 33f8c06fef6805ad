from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.charts.judging import differences, learning_curve, reliability, slices
from lmcore.training.calibration import calibration
from lmcore.training.comparison import compare
from lmcore.training.curve import LearningCurve
from lmcore.training.slices import measure_slices
from tests.training.judged import calibrated, evaluation, noisy

GOLD = np.arange(120) % 3


def made(number, right=0.8, **changes):
    return evaluation(GOLD, noisy(GOLD, right, seed=number), version=f"models:/made/{number}", **changes)


@pytest.mark.parametrize("number", [2, 3])
def test_differences_in_points_with_their_verdicts(check, axis_titles, number):
    found = compare([made(i, 0.6 + 0.1 * i) for i in range(1, number + 1)])
    figure = differences(found)
    spec = check(figure)
    assert axis_titles(spec) == {"x": "Difference (points)", "y": "Metric"}
    assert figure.alt == " ".join(found.verdicts())
    wanted = 100 * found.differences["difference"]
    assert sorted(figure.data["difference"]) == pytest.approx(sorted(wanted))


def test_reliability_of_one_version_and_of_two(check):
    gold, p = calibrated(200, temperature=0.4)
    before = calibration(evaluation(gold, p))
    after = replace(calibration(evaluation(*calibrated(200))), version="models:/made/2")
    one, two = reliability([before]), reliability([before, after])
    check(one)
    check(two)
    error = before.value("ece")
    assert one.alt.startswith(f"models:/made/1: expected calibration error {error:.3f}. The widest gap: right in ")
    assert set(two.data["version"]) == {"models:/made/1", "models:/made/2"}


@pytest.mark.parametrize("weak", [False, True])
def test_slices_stand_beside_the_whole(check, axis_titles, weak):
    result = made(1)
    source = np.where(result.predictions["correct"] | (not weak), "web", "mail")
    frame = result.predictions[["id"]].assign(label=result.predictions["gold"], source=source)
    report = measure_slices(result, frame)
    figure = slices(report)
    assert axis_titles(check(figure)) == {"x": "Accuracy (0 to 1)", "y": "Slice"}
    assert figure.alt == " ".join(report.sentences())
    assert ("source = mail: worse" in figure.alt) == weak
    assert figure.data.equals(report.slices)


def test_a_learning_curve_with_its_baselines(check, axis_titles):
    rows = [
        (share, int(100 * share), model, metric, share, share - 0.1, share + 0.1)
        for share in (0.1, 0.5, 1.0)
        for model in ("this model", "majority class")
        for metric in ("accuracy", "f1_macro")
    ]
    points = pd.DataFrame(rows, columns=["share", "rows", "model", "metric", "value", "low", "high"])
    gain = {"rows": 50, "metric": "f1_macro", "difference": 0.1, "low": 0.05, "high": 0.2, "clear": True}
    curve = LearningCurve("id", "text-classification", "made@1", points, gain, {})
    figure = learning_curve(curve)
    assert axis_titles(check(figure)) == {"x": "Training rows", "y": "Macro F1 (0 to 1)"}
    assert len(figure.data) == 6
    assert figure.alt == curve.verdict
