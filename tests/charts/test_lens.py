import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import attribute_logits, logit_lens
from lmcore.charts.lens import MAX_COLUMNS, decided_words, head_scores, lens_map, lens_trajectory, logit_parts, visible
from lmcore.types import Target
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import CASES, reader


@pytest.fixture(scope="module")
def lens():
    return logit_lens(model("llama"), *ASKED["llama"][::2])


@pytest.mark.parametrize("colour", ["probability", "target", "entropy", "divergence"])
def test_the_map_has_a_word_for_each_layer_and_token(check, lens, colour):
    figure = lens_map(lens, colour)
    check(figure)
    assert len(figure.data) == (lens.layers + 1) * len(lens.columns)
    assert f"from layer {lens.decided[lens.focus[0]]} on" in figure.alt


def test_of_many_tokens_those_up_to_the_target_are_drawn(check):
    found = logit_lens(model("llama"), "Anna told us on day 7 that nothing is as good as apples " * 3)
    figure = lens_map(found)
    check(figure)
    assert figure.data["column"].nunique() == MAX_COLUMNS
    assert figure.data["column"].max() == found.focus[0]
    assert f"of {len(found.columns)})" in figure.chart.to_dict()["layer"][0]["title"]


def test_one_place_is_followed_through_the_layers(lens):
    figure = lens_trajectory(lens, int(lens.focus[0]))
    spec = figure.chart.to_dict()
    titles = [part["title"] for part in spec["vconcat"]]
    assert titles[:2] == ["Probability of the target", "Rank of the target"]
    assert figure.alt.endswith(f"to {lens.target_ranks[-1, lens.focus[0]]}.")
    text, target, _ = CASES["named-entity-recognition"]
    tags = logit_lens(reader("named-entity-recognition"), text, target)
    assert len(lens_trajectory(tags, 3).chart.to_dict()["vconcat"]) == 2  # no target there


def test_a_target_that_is_not_first_is_said_with_its_rank(lens):
    assert "ends on rank" in decided_words(lens) or "from layer" in decided_words(lens)


def test_the_parts_and_the_rest_sum_to_the_logit(check):
    found = attribute_logits(model("llama"), *ASKED["llama"][::2])
    figure = logit_parts(found, 4)
    spec = check(figure)
    drawn = pd.DataFrame(next(iter(spec["datasets"].values())))
    assert len(drawn) == 5
    assert drawn["score"].sum() == pytest.approx(found.value, abs=1e-5)
    assert drawn["name"].iloc[-1] == f"all {len(found.parts) - 4} others"
    check(head_scores(found.heads(), title="What each head adds", unit="Logits"))


def test_signed_maps_have_zero_in_the_middle(check):
    spec = check(head_scores(np.array([[0.5, -2.0], [0.0, 1.0]]), title="Heads", unit="Logits"))
    assert spec["encoding"]["color"]["scale"]["domain"] == [-2.0, 2.0]
    check(head_scores(np.zeros((2, 2)), title="Heads", unit="Logits"))


@pytest.mark.parametrize(
    ("token", "shown"), [(" Paris", " Paris"), ("\n", "↵"), ("", "∅"), ("a\nb", "a↵b"), ("\t", "⇥"), (" ", "␣")]
)
def test_tokens_without_letters_can_be_seen(token, shown):
    assert visible(token) == shown


def test_a_class_is_read_for_the_whole_text(check):
    found = logit_lens(reader("relation-extraction"), *CASES["relation-extraction"][:2])
    figure = lens_map(found)
    check(figure)
    assert "the whole text" in figure.alt
    assert Target("class", "good") == found.target
