"""Charts of token probabilities and of neurons."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lmcore.charts.neurons import layer_activity, layer_norms, neuron_text, selective_neurons
from lmcore.charts.token_colours import LINE, SHOWN, coloured_tokens

SELECTIVE = pd.DataFrame(
    {
        "label": ["food", "food", "travel"], "layer": [1, 2, 2], "neuron": [3, 4, 5], "effect": [2.0, -1.0, 0.5],
        "auroc": [0.9, 0.2, 0.6], "low": [0.8, 0.1, 0.4], "high": [1.0, 0.3, 0.8], "p": [0.001, 0.01, 0.5],
        "p_adjusted": [0.003, 0.02, 0.5], "texts": [60, 60, 60],
    }
)  # fmt: skip
LAYERS = pd.DataFrame(
    {
        "layer": [1, 2],
        "norm": [3.0, 4.5],
        "sparsity": [0.7, 0.8],
        "hoyer": [0.3, 0.4],
        "dead": [0, 2],
        "dead_share": [0.0, 0.1],
    }
)


def test_a_text_is_drawn_token_by_token_in_lines() -> None:
    tokens = ["Anna", " told", " us", "\n", "物流", " ", "<b>*x*</b>"] * 12
    found = coloured_tokens(tokens, np.linspace(0, 5, len(tokens)).tolist(), title="Text", unit="bits")
    spec = found.chart.to_dict()
    rows = next(iter(spec["datasets"].values()))
    assert [row["token"] for row in rows] == tokens
    assert {row["shown"] for row in rows} == {"Anna", "told", "us", "⏎", "物流", "␣", "<b>*x*</b>"}
    assert all(row["end"] <= LINE for row in rows)
    for earlier, later in pairwise(rows):
        same = earlier["line"] == later["line"]
        assert later["start"] >= earlier["end"] if same else (later["line"], later["start"]) == (earlier["line"] + 1, 0)
    assert rows[4]["end"] - rows[4]["start"] == pytest.approx(4)  # a Chinese character takes the room of two
    assert found.alt.startswith("Text. The largest values are at '<b>*x*</b>' 5.00, ")


def test_what_has_no_value_stays_without_colour_and_long_texts_are_cut() -> None:
    found = coloured_tokens(["a"] * (SHOWN + 5), [float("nan")] * (SHOWN + 5), title="Text", unit="bits")
    assert len(found.data) == SHOWN
    assert found.alt == "Text. No token has a value."
    assert f"first {SHOWN} of {SHOWN + 5}" in found.chart.to_dict()["title"]
    assert coloured_tokens([], [], title="Text", unit="bits").data.empty


def test_a_line_of_text_has_room_below_the_title_and_the_colours() -> None:
    one = coloured_tokens(["a"], [1.0], title="Text", unit="bits").chart.to_dict()["height"]
    ten = coloured_tokens(["word"] * LINE, [1.0] * LINE, title="Text", unit="bits").chart.to_dict()["height"]
    assert one >= 110
    assert ten > one + 26


def test_both_signs_have_a_scale_around_zero() -> None:
    found = neuron_text(["a", "b"], np.array([-2.0, 1.0]), "Row 3", signed=True, largest=2.0)
    scale = found.chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale == {"domain": [-2.0, 2.0], "domainMid": 0}
    assert "'a' -2.00" in found.alt


def test_layers_and_selective_neurons_say_their_figures() -> None:
    assert "2 neurons are dead; the mean sparsity is 75.0%." in layer_activity(LAYERS).alt
    assert "layer 2: 4.50" in layer_norms(LAYERS).alt
    found = selective_neurons(SELECTIVE, "food")
    assert found.alt.endswith("The best is layer 1, neuron 3 with an AUROC of 0.90.")
    assert found.data["neuron"].tolist() == [3, 4]
    assert selective_neurons(SELECTIVE, "none").alt.endswith("There are none.")


@pytest.mark.parametrize("figure", [layer_activity(LAYERS), layer_norms(LAYERS), selective_neurons(SELECTIVE, "food")])
def test_charts_are_valid(figure: object) -> None:
    assert figure.chart.to_dict()["$schema"]
