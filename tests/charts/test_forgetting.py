import numpy as np
import pandas as pd

from lmcore.charts.forgetting import forgetting
from lmcore.training.comparison import compare
from lmcore.training.continual.forgetting import NEW, OLD, Forgetting, _figures, _ordered
from lmcore.training.continual.slice_changes import compare_slices
from tests.training.judged import evaluation, noisy


def report(datasets=("made@1",)):
    """Return a report by which the class fair was forgotten and nothing changed on the new data."""
    gold = np.random.default_rng(0).integers(3, size=200)
    before = noisy(gold, 0.9)
    after = np.where((gold == 1)[:, None], np.roll(before, 1, axis=1), before)
    figures, slices = [], []
    for role, data, p in [*((OLD, name, after) for name in datasets), (NEW, "made@9", before)]:
        pair = [evaluation(gold, x, version=f"models:/made/{i}") for i, x in ((1, before), (2, p))]
        figures.append(_figures(compare(pair)).assign(role=role, data=data))
        slices.append(compare_slices(*pair).assign(role=role, data=data))
    frames = [_ordered(pd.concat(parts, ignore_index=True)) for parts in (figures, slices)]
    return Forgetting("made", "models:/made/1", "models:/made/2", "text-classification", *frames, {"seed": 0})


def test_each_slice_is_drawn_before_and_after():
    found = report()
    figure = forgetting(found)
    assert figure.data["name"].tolist() == ["all rows", "label = bad", "label = fair", "label = good"]
    assert figure.data["change"].tolist() == ["worse", "no clear change", "worse", "no clear change"]
    assert (figure.data["after"] - figure.data["before"]).round(9).equals(figure.data["difference"].round(9))
    assert figure.alt.startswith("models:/made/2 lost ")
    assert "label = fair: worse" in figure.alt
    drawn = figure.chart.to_dict()
    assert {layer["mark"]["type"] for layer in drawn["layer"]} == {"rule", "point"}
    assert drawn["layer"][0]["title"] == "Accuracy on the earlier data, before and after"
    assert set(forgetting(found, NEW).data["change"]) == {"no clear change"}


def test_several_data_sets_are_told_apart():
    names = forgetting(report(("a@1", "b@1"))).data["name"].tolist()
    assert len(set(names)) == len(names) == 8
    assert names[0] == "a@1, all rows"


def test_what_is_said_of_a_report():
    found = report()
    assert found.verdict.startswith("models:/made/2 lost ")
    assert "points of Macro F1 on the earlier data (95 % interval " in found.verdict
    assert "and did not clearly change on the new data (+0.0 points" in found.verdict
    (said,) = found.sentences()
    assert said.startswith("made@1, label = fair: worse by ")
    assert set(found.to_frame()["slice"]) == {"all rows", "bad", "fair", "good"}
