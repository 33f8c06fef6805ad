from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import (
    TokenAttention,
    attention_flow,
    attention_maps,
    attention_rollout,
    attribute,
    cross_rollout,
    judged_attention,
    measure_faithfulness,
    read_attention,
)
from lmcore.analysis.trust.attention_map import CAVEAT
from lmcore.errors import InputError, OptionError
from lmcore.types import Silent, Target
from tests.analysis.readers import CASES, TEXT, reader
from tests.analysis.told import rises_and_stops

QUICK = {"stages": 2, "edits": 2, "draws": 4, "methods": ("occlusion", "input_x_gradient")}
GOOD = Target("class", "good")
TOKENS = len(TEXT.split()) + 2


@pytest.fixture(scope="module")
def loaded():
    return reader("text-classification")


def test_the_map_is_the_row_of_the_token(loaded):
    maps = attention_maps(loaded, TEXT).attentions
    for attention, expected in (
        (TokenAttention(0), attention_rollout(maps)[0]),
        (TokenAttention(3, "flow"), attention_flow(maps, tokens=[3])[0]),
        (TokenAttention(2, "head", layer=1, head=2), maps[1, 2, 2]),
        (TokenAttention(2, "head", layer=1), maps[1].mean(axis=0)[2]),
    ):
        found = judged_attention(loaded, TEXT, GOOD, attention=attention)
        assert found.scores == pytest.approx(expected, abs=1e-6)
        assert (found.signed, found.by_token) == (False, True)


def test_a_decoders_row_is_the_same_with_what_it_wrote_behind_it():
    loaded, (text, target, output) = reader("text-generation"), CASES["text-generation"]
    rows = attention_rollout(attention_maps(loaded, text).attentions)
    found = judged_attention(loaded, text, target, output=output, attention=TokenAttention(len(rows) - 1))
    assert len(found.scores) > len(rows)
    assert found.scores[: len(rows)] == pytest.approx(rows[-1], abs=1e-6)
    assert np.isnan(found.scores[len(rows) :]).all()


def test_an_encoder_decoders_three_kinds_stand_at_their_own_tokens():
    loaded, (text, _, output) = reader("translation"), CASES["translation"]
    target = Target("phrase")
    maps = read_attention(loaded, text, output=output)
    source, prefix = cross_rollout(*(maps[kind].attentions for kind in ("encoder", "decoder", "cross")))
    first = len(source[0])

    def found(**attention):
        judged = judged_attention(loaded, text, target, output=output, attention=TokenAttention(2, **attention))
        return judged.scores[:first], judged.scores[first:]

    given, before = found(kind="cross")
    assert given == pytest.approx(source[2], abs=1e-6)
    assert before[:3] == pytest.approx(prefix[2, :3], abs=1e-6)
    assert np.isnan(before[3:]).all()
    assert found(kind="cross", way="head")[0] == pytest.approx(maps["cross"].head(0)[2], abs=1e-6)
    assert np.isnan(found(kind="cross", way="head")[1]).all()
    encoder, decoder = found(kind="encoder"), found(kind="decoder")
    assert encoder[0] == pytest.approx(attention_rollout(maps["encoder"].attentions)[2], abs=1e-6)
    assert np.isnan(encoder[1]).all()
    assert np.isnan(decoder[0]).all()
    assert np.nansum(decoder[1]) == pytest.approx(1)
    assert np.isfinite(decoder[1]).sum() == 3


@pytest.mark.parametrize("way", ["rollout", "flow", "head"])
def test_how_far_it_can_be_trusted_is_measured(loaded, way):
    judged = judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(0, way))
    found = measure_faithfulness(loaded, judged, **QUICK)
    checks = dict(found.to_frame()[["check", "value"]].itertuples(index=False))
    assert np.isfinite([checks["Comprehensiveness"], checks["Sufficiency"], found.random_weights]).all()
    assert np.isnan([checks["Completeness error"], found.seed_stability]).all()
    assert set(found.agreement["note"]) == {"by size, without signs"}
    assert found.units == TOKENS - 2
    assert found.warning.endswith(CAVEAT)


def test_it_is_held_against_the_same_curve_as_an_attribution_with_its_scores(loaded):
    judged = judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(0))
    like = replace(attribute(loaded, TEXT, GOOD, method="occlusion"), scores=judged.scores)
    few = {"stages": 0, "edits": 0, "methods": ()}
    one, other = (measure_faithfulness(loaded, each, **few).curve.by_share for each in (judged, like))
    assert one.equals(other)
    assert one["comprehensiveness"].abs().max() > 0


def test_the_token_is_found_again_in_an_edited_text(loaded):
    judged = judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(TOKENS - 1))
    other = judged_attention(loaded, TEXT.replace("Anna told", "Anna  told Ben"), GOOD, attention=TokenAttention(0))
    again = judged.again(loaded, other.asked, {}, Silent())
    assert again == pytest.approx(
        attention_rollout(attention_maps(loaded, other.asked.reading.tokens.text).attentions)[-1]
    )
    assert len(again) != TOKENS


@pytest.mark.parametrize(
    ("token", "found_at"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (TOKENS + 1, TOKENS - 1)]
)
def test_a_token_is_found_again_where_an_edit_has_joined_tokens_before_it(loaded, token, found_at):
    text = TEXT.replace("Anna", "Anan")  # three tokens, that the edit makes one
    judged = judged_attention(loaded, text, GOOD, attention=TokenAttention(token))
    other = judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(0)).asked
    expected = attention_rollout(attention_maps(loaded, TEXT).attentions)[found_at]
    assert judged.again(loaded, other, {}, Silent()) == pytest.approx(expected)


def test_words_that_it_cannot_see_are_not_ranked():
    loaded, (text, target, output) = reader("translation"), CASES["translation"]
    words = len(text.split())

    def measured(**attention):
        judged = judged_attention(loaded, text, target, output=output, attention=TokenAttention(**attention))
        return measure_faithfulness(loaded, judged, **QUICK)

    source, both = measured(token=1, kind="encoder"), measured(kind="cross")
    assert source.units == words
    assert both.units == words + 1  # what was written before the target
    assert source.curve.by_share["units"].max() <= words


def test_it_looks_at_first_from_where_the_target_is_predicted():
    for task, after in (
        ("text-classification", "Anna"),
        ("named-entity-recognition", "told"),
        ("text-generation", "day"),
    ):
        text, target, output = CASES[task]
        judged = judged_attention(
            reader(task), text, target, output=output or None, attention=TokenAttention(way="head")
        )
        shown = judged.asked.reading.tokens.tokens[judged.parameters["token"] + 1]
        assert shown.strip() == after, task
    text, target, output = CASES["translation"]
    for kind, expected in (("encoder", 0), ("decoder", 1), ("cross", 1)):
        attention = TokenAttention(kind=kind)
        judged = judged_attention(reader("translation"), text, target, output=output, attention=attention)
        assert judged.parameters["token"] == expected
    with pytest.raises(InputError, match="Token 3 stands behind what is explained: take one up to 2"):
        judged_attention(reader("translation"), text, target, output=output, attention=TokenAttention(2, kind="cross"))


def test_it_can_be_stopped(loaded):
    rises_and_stops(
        lambda report: judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(0, "flow"), report=report),
        stop_at=0.7,
    )
    judged = judged_attention(loaded, TEXT, GOOD, attention=TokenAttention(0))
    rises_and_stops(lambda report: measure_faithfulness(loaded, judged, **QUICK, report=report), stop_at=0.1)


@pytest.mark.parametrize(
    ("attention", "kind", "said"),
    [
        (TokenAttention(99), InputError, "no such token among the 15 that"),
        (TokenAttention(0, kind="cross"), InputError, "has no cross attention; it has: encoder"),
        (TokenAttention(0, "head", layer=5), OptionError, "2 layers of 4 heads"),
        (TokenAttention(0, "sum"), OptionError, "choose rollout, flow, head"),
    ],
)
def test_what_is_not_there_is_refused(loaded, attention, kind, said):
    with pytest.raises(kind, match=said):
        judged_attention(loaded, TEXT, GOOD, attention=attention)
