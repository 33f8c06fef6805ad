import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.attention.head_maps import HeadMap
from lmcore.analysis.probes.probing import ProbeResult
from lmcore.charts.probing import compression, head_map, probe_accuracy, selectivity

ACCURACIES = pd.DataFrame(
    {"layer": [0, 0, 1, 1], "split": ["dev", "test"] * 2, "accuracy": [0.5, 0.6, 0.7, 0.8], "control": 0.4}
).assign(selectivity=lambda f: f["accuracy"] - 0.4, selectivity_low=0.0, selectivity_high=0.5)


@pytest.mark.parametrize("with_intervals", [True, False])
def test_probes(check, with_intervals):
    frame = ACCURACIES[["layer", "split", "accuracy"]]
    if with_intervals:
        frame = frame.assign(low=frame["accuracy"] - 0.1, high=frame["accuracy"] + 0.1)
    figure = probe_accuracy(frame, 1)
    check(figure)
    assert figure.alt == "Layer 1 does best on dev: dev 0.700, test 0.800."


def test_what_always_saying_the_same_gives_is_drawn_as_a_line(check):
    figure = probe_accuracy(ACCURACIES, 1, majority=0.55)
    check(figure)
    assert figure.alt.endswith("Always saying the most frequent class is right in 0.550.")


def test_selectivity_of_one_split(check):
    figure = selectivity(ProbeResult(ACCURACIES, 1, 0.02, "f"), "test")
    check(figure)
    assert len(figure.data) == 2
    assert figure.alt.startswith("Layer 1 is the most selective with 0.400: 0.800 on the property and 0.400 on")


def test_compression(check):
    codes = pd.DataFrame(
        {
            "layer": [0, 1],
            "bits": [90.0, 50.0],
            "uniform_bits": 100.0,
            "compression": [1.1, 2.0],
            "low": 1.0,
            "high": 2.5,
        }
    )
    figure = compression(codes)
    check(figure)
    assert figure.alt == "Layer 1 needs the fewest bits: 50 of 100, 2.00 times shorter."


@pytest.mark.parametrize(("method", "shares"), [("pca", (0.6, 0.2)), ("tsne", None)])
@pytest.mark.parametrize("heads", [True, False])
def test_the_map_names_the_two_that_are_most_alike(check, method, shares, heads):
    names = [f"layer {n}" + (" head 1" if heads else "") for n in (1, 2, 3)]
    points = pd.DataFrame(
        {"id": names, "stack": ["", "", ""], "layer": [1, 2, 3], "head": int(heads), "x": [0.0, 1, 2], "y": [0.0, 0, 1]}
    )
    distances = np.array([[0, 4, 5], [4, 0, 1], [5, 1, 0]], dtype=np.float32)
    figure = head_map(HeadMap(points, distances, "attention", method, {}, shares, "f"))
    check(figure)
    assert figure.alt.endswith(f"most alike are {names[1]} and {names[2]}.")
    assert ("heads" if heads else "layers") in figure.alt


def test_a_map_of_two_stacks_tells_them_apart_by_shape(check):
    points = pd.DataFrame(
        {
            "id": ["encoder layer 1", "decoder layer 1"],
            "stack": ["encoder", "decoder"],
            "layer": 1,
            "head": 0,
            "x": 0.0,
            "y": 1.0,
        }
    )
    figure = head_map(HeadMap(points, np.ones((2, 2)), "parameters", "pca", {}, (1.0, 0.0), "f"))
    check(figure)
    assert "stack" in str(figure.chart.to_dict())
