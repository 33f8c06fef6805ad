import pandas as pd
import pytest

from lmcore.analysis import counterfactuals, run_suite
from lmcore.analysis.suites.cases import Suite
from lmcore.analysis.suites.comparing import compare_runs
from lmcore.charts import counterfactual as charts
from tests.analysis.planted import Rule


@pytest.fixture
def run():
    rows = [{"text": "a superb film", "edited": "a suprb film", "expectation": "stays"}] * 3
    suite = Suite.from_frame(pd.DataFrame(rows), name="s", data="d@1", task="text-classification")
    return run_suite(Rule(["superb"]), suite, version="models:/a/1")


def test_edits_are_drawn_by_their_effect():
    frame = counterfactuals(Rule(["superb"]), "a superb film of trees", edits=["deletion"]).to_frame()
    figure = charts.edit_effects(frame, "good")
    spec = figure.chart.to_dict()
    assert spec["encoding"]["x"]["title"] == "Change of the probability (-1 to 1)"
    assert "1 of 5 edits lead to another answer" in figure.alt
    assert "without 'superb'" in figure.alt
    assert len(figure.data) == len(frame)


def test_rates_and_differences_name_their_intervals(run):
    figure = charts.suite_rates(run.rates, run.version)
    assert "100.0% fail" in figure.alt
    assert len(figure.chart.to_dict()["layer"]) == 2
    rates = compare_runs(run, run).rates
    assert "Over all cases +0.0 percentage points" in charts.rate_differences(rates, "a", "b").alt


def test_rows_are_drawn_in_their_order():
    frame = pd.DataFrame({"id": [4, 2], "label": ["x", ""], "text": ["a", "b"], "similarity": [0.9, 0.8]})
    figure = charts.row_scores(frame, "similarity", title="Near", unit="Cosine")
    assert figure.alt == "Near. The first is Row 5 (x): +0.9."
    assert list(figure.data["id"]) == [4, 2]
    assert "color" in figure.chart.to_dict()["encoding"]
    written = charts.row_scores(
        frame.assign(label=["a long answer " * 9, "b"]), "similarity", title="Near", unit="Cosine"
    )
    assert "color" not in written.chart.to_dict()["encoding"]
    assert "There is none." in charts.row_scores(frame.head(0), "similarity", title="Near", unit="Cosine").alt
