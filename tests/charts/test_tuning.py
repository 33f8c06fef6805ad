import numpy as np
import pandas as pd
import pytest

from lmcore.charts.tuning import importance_bars, parallel_coordinates, search_history
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.importance import Importance
from lmcore.training.tuning.result import LOSS, SearchResult
from lmcore.training.tuning.space import Choices, Range

SPACE = {
    "learning_rate": Range(1e-5, 1e-3, log=True),
    "epochs": Range(1, 5),
    "batch_size": Choices((32, 8, 16)),
    "schedule": Choices(("linear", "constant")),
}
STATES = ["finished", "stopped early", "finished", "failed", "finished", "running"]
VALUES = [0.5, 0.3, 0.8, np.nan, 0.6, 0.4]


def result(metric=None, values=VALUES, states=STATES):
    base = TrainConfig("topics", method="full")
    number = len(values)
    trials = pd.DataFrame(
        {
            "trial": range(1, number + 1),
            "state": states,
            "value": values,
            "epoch": 1,
            "epochs": 1,
            "seconds": 2.0,
            "reason": ["The loss is nan." if state == "failed" else "" for state in states],
            "learning_rate": np.geomspace(1e-5, 1e-3, number),
            "epochs_": 1,
            "batch_size": [32, 8, 16, 8, 16, 32][:number],
            "schedule": (["linear", "constant"] * 3)[:number],
        }
    )
    metric = metric or load_task("text-classification").metric("accuracy")
    trials = trials.drop(columns="epochs_").assign(epochs=[1, 2, 5, 3, 4, 1][:number])
    return SearchResult("abc", "topics@2", metric, trials, SearchConfig(base, SPACE).to_dict(), {})


def test_the_history_has_the_best_so_far_and_marks_what_was_stopped(check, axis_titles):
    figure = search_history(result())
    spec = check(figure)
    assert axis_titles(spec) == {"x": "Trial", "y": "Accuracy (0 to 1)"}
    assert figure.data["trial"].tolist() == [1, 2, 3, 5, 6], "a failed trial has no figure"
    assert figure.data["best so far"].tolist() == [0.5, 0.5, 0.8, 0.8, 0.8]
    assert set(figure.data["state"]) == {"finished", "stopped early", "running"}
    assert figure.alt.startswith("The best of 5 trials is trial 3: Accuracy 0.800 on dev with learning rate ")
    assert figure.alt.endswith("Of the others, 1 was stopped early and 1 failed.")


def test_where_lower_is_better_the_best_falls(check):
    figure = search_history(result(LOSS))
    check(figure)
    assert figure.data["best so far"].tolist() == [0.5] * 5
    assert "trial 1: Loss 0.500 on dev" in figure.alt


def test_parallel_coordinates_by_orders_of_magnitude_and_by_place(check, axis_titles):
    figure = parallel_coordinates(result())
    spec = check(figure)
    assert axis_titles(spec)["x"] == "Setting"
    places = figure.data.pivot(index="trial", columns="axis", values="place")
    assert places["Learning rate"].tolist() == pytest.approx([0, 0.2, 0.4, 0.8])
    assert places["Batch size"].tolist() == [1, 0, 0.5, 0.5], "numbers stand in their order"
    assert places["Accuracy on dev"].tolist() == pytest.approx([0.4, 0, 1, 0.6])
    assert places.min().min() >= 0
    assert places.max().max() <= 1
    text = figure.chart.to_json()
    for label in ("1e-05", "0.0001", "0.001", "linear", "constant", "32"):
        assert f'"label": "{label}"' in text
    assert figure.alt.startswith("4 trials over 4 settings. ")


@pytest.mark.parametrize(("values", "states"), [([0.5], ["finished"]), ([np.nan], ["failed"])])
def test_with_one_trial_there_are_charts_too(check, values, states):
    one = result(values=values, states=states)
    one.trials["schedule"] = "linear"
    history = search_history(one)
    check(history)
    check(parallel_coordinates(one))
    assert len(history.data) == np.isfinite(values).sum()


def test_the_importance_is_in_order_and_in_words(check, axis_titles):
    shares = pd.DataFrame({"setting": ["learning_rate", "epochs"], "share": [0.9, 0.1]})
    figure = importance_bars(Importance("abc", shares, 12, "From 12 finished trials."))
    spec = check(figure)
    assert axis_titles(spec)["y"] == "Setting"
    assert figure.alt == "What explains the differences: Learning rate 90%, Epochs 10%. From 12 finished trials."
