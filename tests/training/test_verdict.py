from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.tasks.metrics import score_classes
from lmcore.training.evaluation import Evaluation
from lmcore.training.verdict import headline, verdict


def evaluation(wrong=3, baseline=None):
    gold = np.arange(30) % 3
    predicted = gold.copy()
    predicted[:wrong] = (gold[:wrong] + 1) % 3
    scores = score_classes(gold, predicted, ("a", "b", "c"))
    tables = {}
    if baseline is not None:
        row = {"name": "TF-IDF + logistic regression"}
        for name in scores.metrics:
            row |= {name: baseline, f"{name}_low": baseline - 0.1, f"{name}_high": baseline + 0.1}
        tables["baselines"] = pd.DataFrame([row])
    return Evaluation(
        "kept", "models:/made/1", "made@1:test", "text-classification",
        scores.metrics, scores.intervals, pd.DataFrame(), tables, {"rows": 30, "split": "test"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (None, "Macro F1 is 0.900 (95 % interval"),
        (0.2, "clearly beats"),
        (0.88, "is ahead of, but within the interval does not clearly beat,"),
        (0.95, "does as well or better: 0.950"),
    ],
)
def test_the_verdict_holds_the_model_against_the_best_baseline(baseline, said):
    assert said in verdict(evaluation(baseline=baseline))


def test_the_verdict_says_how_many_rows():
    assert "On 30 test rows it is right in 90.0%" in verdict(evaluation())
    assert "100.0%" in verdict(evaluation(wrong=0))
    assert verdict(replace(evaluation(), parameters={"rows": 30, "split": ""})).startswith("On 30 data rows")


def test_the_headline_is_the_main_figure_with_its_interval():
    found = evaluation()
    low, high = found.intervals["f1_macro"]
    assert headline(found) == f"Macro F1 is 0.900 (95 % interval {low:.3f} to {high:.3f})"
