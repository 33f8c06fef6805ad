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
    assert not found.scores[len(rows) :].any()


def test_an_encoder_decoders_three_kinds_stand_at_their_own_tokens():
    loaded, (text, target, output) = reader("translation"), CASES["translation"]
    maps = read_attention(loaded, text, output=output)
    source, prefix = cross_rollout(*(maps[kind].attentions for kind in ("encoder", "decoder", "cross")))
    first = len(source[0])

    def found(**attention):
        judged = judged_attention(loaded, text, target, output=output, attention=TokenAttention(2, **attention))
        return judged.scores[:first], judged.scores[first:]

    for given, expected in zip(found(kind="cross"), (source[2], prefix[2]), strict=True):
        assert given == pytest.approx(expected[: len(given)], abs=1e-6)
    assert found(kind="cross", way="head")[0] == pytest.approx(maps["cross"].head(0)[2], abs=1e-6)
    assert not found(kind="cross", way="head")[1].any()
    encoder, decoder = found(kind="encoder"), found(kind="decoder")
    assert encoder[0] == pytest.approx(attention_rollout(maps["encoder"].attentions)[2], abs=1e-6)
    assert not encoder[1].any()
    assert not decoder[0].any()
    assert decoder[1].sum() == pytest.approx(1)


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
        (TokenAttention(99), InputError, "There is no token 100 among the"),
        (TokenAttention(0, kind="cross"), InputError, "has no cross attention; it has: encoder"),
        (TokenAttention(0, "head", layer=5), OptionError, "2 layers of 4 heads"),
        (TokenAttention(0, "sum"), OptionError, "choose rollout, flow, head"),
    ],
)
def test_what_is_not_there_is_refused(loaded, attention, kind, said):
    with pytest.raises(kind, match=said):
        judged_attention(loaded, TEXT, GOOD, attention=attention)
