import numpy as np
import pandas as pd

from lmcore.charts import beside as charts
from lmcore.training.beside import set_beside
from tests.training.judged import evaluation, softmax


def test_changes_are_counted_in_words_and_bars():
    gold = np.array([0, 1, 2])
    old, new = (softmax(2.0 * np.eye(3)[np.array(said)]) for said in ([1, 1, 0], [0, 1, 1]))
    found = set_beside(evaluation(gold, old), evaluation(gold, new, version="models:/made/2"))
    figure = charts.changes(found)
    assert figure.alt == "Of 3 rows: 1 fixed, 0 broken, 1 still wrong, 1 still right."
    assert figure.data["rows"].tolist() == [1, 0, 1, 1]
    assert figure.chart.to_dict()["layer"][0]["encoding"]["x"]["field"] == "rows"


def test_probabilities_stand_beside_each_other_and_unknown_classes_are_named():
    data = pd.DataFrame({"label": ["a", "b"], "before": [0.25, np.nan], "after": [0.125, 0.875]})
    figure = charts.probabilities("old", "new", data)
    assert figure.alt == "b unknown before, 87.5% after; a 25.0% before, 12.5% after."
    (rows,) = figure.chart.to_dict()["datasets"].values()
    assert [(row["label"], row["model"]) for row in rows] == [
        ("a", "before: old"), ("b", "after: new"), ("a", "after: new"),
    ]  # fmt: skip
    many = pd.DataFrame({"label": [str(n) for n in range(40)], "before": 0.025, "after": np.linspace(0, 1, 40)})
    (rows,) = charts.probabilities("old", "new", many).chart.to_dict()["datasets"].values()
    assert len(rows) == 2 * charts.MOST_LABELS
