import pytest

from lmcore.analysis import ablate, find_direction, patch_activations, steer
from lmcore.charts.causal import ablation_bars, patch_map, steering_curve
from tests.analysis.inside import ASKED, model


@pytest.mark.parametrize(
    ("options", "x"), [({}, "Token"), ({"component": "heads"}, "Head"), ({"whole": True}, "Tokens")]
)
def test_a_patch_map_has_a_cell_for_each_run(check, axis_titles, options, x):
    clean, corrupted, target, _ = ASKED["llama"]
    found = patch_activations(model("llama"), clean, corrupted, target, **options)
    figure = patch_map(found)
    spec = check(figure)
    assert axis_titles(spec) == {"x": x, "y": "Layer"}
    assert len(figure.data) == len(found.cells)
    assert figure.alt.startswith("Effect of patching. The largest is ")


def test_both_words_stand_where_the_texts_differ(check):
    clean, corrupted, target, output = ASKED["marian"]
    found = patch_activations(model("marian"), clean, corrupted, target, output=output)
    figure = patch_map(found, "encoder")
    check(figure)
    assert any("one/" in token for token in figure.data["token"])
    assert "in the decoder" in patch_map(found, "decoder").alt


@pytest.mark.parametrize("part", ["heads", "tokens", "layers", "mlp"])
def test_what_moves_most_stands_first(check, part):
    text, _, target, _ = ASKED["gpt2"]
    figure = ablation_bars(ablate(model("gpt2"), text, target, part=part, method="resample", draws=2), 3)
    check(figure)
    assert figure.data["change"].abs().is_monotonic_decreasing
    assert (figure.data["low"] <= figure.data["high"]).all()


def test_the_curve_names_both_ends(check):
    text, other, target, _ = ASKED["gpt2"]
    loaded = model("gpt2")
    found = steer(loaded, text, find_direction(loaded, [text], [other]), strength=0.5, target=target)
    figure = steering_curve(found)
    check(figure)
    assert figure.alt == f"The value goes from {found.value(0):.2f} to {found.value(0.5):.2f} at a strength of 0.5."
