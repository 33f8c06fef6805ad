import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.charts.figure import Figure
from lmcore.charts.training import class_metrics, confusion_matrix, metric_curves, metric_intervals, metric_units
from lmcore.tasks.metrics import score_classes
from lmcore.training.evaluation import Evaluation

CHINESE = ("物流", "质量", "客服")


def evaluation(labels: tuple[str, ...] = ("a", "b", "c"), wrong: int = 3, baseline: float | None = None) -> Evaluation:
    gold = np.arange(30) % len(labels)
    predicted = gold.copy()
    predicted[:wrong] = (gold[:wrong] + 1) % len(labels)
    scores = score_classes(gold, predicted, labels)
    tables = dict(scores.tables)
    if baseline is not None:
        row = {"name": "TF-IDF + logistic regression"}
        for name in scores.metrics:
            row |= {name: baseline, f"{name}_low": baseline - 0.1, f"{name}_high": baseline + 0.1}
        tables["baselines"] = pd.DataFrame([row])
    predictions = pd.DataFrame({"id": range(30), "correct": gold == predicted})
    return Evaluation(
        "kept", "models:/made/1", "made@1:test", "text-classification",
        scores.metrics, scores.intervals, predictions, tables, {"rows": 30},
    )  # fmt: skip


def intervals(result: Evaluation) -> Figure:
    (unit,) = metric_units(result)
    return metric_intervals(result, unit)


def recorded(*rows: tuple[int, str, float]) -> pd.DataFrame:
    return pd.DataFrame([(s, 0.0, n, v) for s, n, v in rows], columns=["step", "time", "name", "value"])


def test_curves(check):
    metrics = recorded((1, "loss", 2.0), (1, "dev_loss", 2.1), (2, "loss", 1.0), (2, "speed", 9.0))
    figure = metric_curves(metrics, ("loss", "dev_loss"), title="Loss", x="Training step", y="Cross-entropy (nats)")
    check(figure)
    assert set(figure.data["value"]) == {2.0, 2.1, 1.0}
    assert "1.000" in figure.alt
    assert "2.100" in figure.alt
    assert set(figure.data["name"]) == {"train", "dev"}


def test_curves_of_nothing_yet(check):
    figure = metric_curves(recorded(), ("loss",), title="Loss", x="Training step", y="Nats")
    check(figure)
    assert figure.alt == "Loss. No value yet."


@pytest.mark.parametrize("labels", [("a", "b", "c"), CHINESE, ("only",)], ids=["three", "Chinese", "one"])
@pytest.mark.parametrize("draw", [intervals, class_metrics, confusion_matrix])
def test_charts_of_an_evaluation(check, draw, labels):
    for wrong in (0, 3, 30):
        figure = draw(evaluation(labels, wrong=wrong))
        check(figure)
        assert figure.data is not None


def test_metrics_stand_beside_the_baselines(check):
    figure = intervals(evaluation(baseline=0.5))
    check(figure)
    assert set(figure.data["model"]) == {"this model", "TF-IDF + logistic regression"}
    assert "Accuracy 0.900 (" in figure.alt


def test_the_worst_class_is_named():
    result = evaluation()
    by_class = result.tables["by_class"]
    worst = by_class[by_class["metric"] == "f1"].sort_values("value").iloc[0]
    assert class_metrics(result).alt == f"The class with the lowest F1 is {worst['label']} with {worst['value']:.3f}."


def test_the_most_frequent_confusion_is_named():
    assert confusion_matrix(evaluation()).alt.startswith("The most frequent confusion: ")
    assert confusion_matrix(evaluation(wrong=0)).alt == "No confusions."
    assert confusion_matrix(evaluation(("only",), wrong=0)).alt == "No confusions."


def test_one_confused_row_is_one_row():
    assert confusion_matrix(evaluation(wrong=1)).alt.endswith(", 1 row.")
    assert confusion_matrix(evaluation(wrong=6)).alt.endswith(", 2 rows.")


def test_the_numbers_on_the_cells_have_the_colour_of_the_text(check):
    spec = check(confusion_matrix(evaluation()))
    (text,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert "color" not in text["encoding"]
    assert "color" not in json.dumps(text["mark"])


def test_figures_of_questions_with_and_without_an_answer_are_drawn_by_class(check):
    lines = [(f"has {a} answer", name, 0.5, 0.4, 0.6, 9) for a in ("an", "no") for name in ("f1", "exact_match")]
    table = pd.DataFrame(lines, columns=["label", "metric", "value", "low", "high", "rows"])
    figure = class_metrics(replace(evaluation(), tables={"by_class": table}))
    check(figure)
    assert figure.chart.to_dict()["layer"][0]["title"] == "F1 and exact match by class, with 95 % intervals"
    known = class_metrics(evaluation()).chart.to_dict()["layer"][0]["title"]
    assert known == "Precision, recall and F1 by class, with 95 % intervals"
