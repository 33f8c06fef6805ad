"""A text that is analysed by itself is read as far as the model's window goes; texts among others as far as is usual."""

from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import (
    attention_maps,
    attribute,
    extract_activations,
    find_neurons,
    logit_lens,
    patch_activations,
    token_probabilities,
)
from lmcore.analysis.attribution.cost import attribution_cost, lens_cost
from lmcore.analysis.model_input import encode_inputs
from lmcore.types import Target
from tests.tasks.speakers import speaker

TEXT = (
    "Anna told us on day 3 that nothing is as good as apples and Ben told us on day 4 that nothing is as good as books"
)
USUAL = 12


@pytest.fixture(scope="module")
def whole():
    return speaker("text-generation")


@pytest.fixture(scope="module")
def usual(whole):
    """The same model, which takes 12 tokens of a text among others."""
    return replace(whole, max_length=USUAL, window=64)


def tokens(loaded):
    return len(loaded.tokenizer(TEXT)["input_ids"])


def test_the_text_is_longer_than_usual(whole):
    assert USUAL < tokens(whole) < 60


def test_what_is_explained_is_the_whole_text(whole, usual):
    target = Target("phrase", "day", 0, 3)
    for method in ("input_x_gradient", "leave_one_out"):
        found = attribute(usual, TEXT, target, output="day", method=method)
        assert not found.truncated
        np.testing.assert_allclose(
            found.scores, attribute(whole, TEXT, target, output="day", method=method).scores, atol=1e-5
        )
    assert attribution_cost(usual, TEXT, target, output="day").tokens == len(found.tokens)
    assert lens_cost(usual, TEXT, target, output="day").tokens == len(found.tokens)


def test_the_inside_is_that_of_the_whole_text(whole, usual):
    assert len(attention_maps(usual, TEXT).tokens) == tokens(whole)
    assert extract_activations(usual, [TEXT]).values.shape[1] == tokens(whole)
    assert not token_probabilities(usual, TEXT).truncated
    own = token_probabilities(whole, TEXT)
    np.testing.assert_allclose(token_probabilities(usual, TEXT).surprisal, own.surprisal, atol=1e-6)
    target = Target("phrase", "day", 0, 3)
    assert len(logit_lens(usual, TEXT, target, output="day").columns) > tokens(whole)
    runs = patch_activations(usual, TEXT, TEXT.replace("3", "4"), target, output="day", component="mlp", whole=True)
    assert len(runs.clean.ids) > tokens(whole)


def test_texts_among_others_are_read_as_far_as_is_usual(usual, whole):
    assert encode_inputs(usual, [TEXT]).lengths.tolist() == [tokens(whole)]
    several = encode_inputs(usual, [TEXT, TEXT])
    assert several.lengths.tolist() == [USUAL, USUAL]
    assert several.truncated.all()
    assert find_neurons(usual, [TEXT, TEXT]).tokens <= 2 * USUAL


def test_a_window_that_was_asked_for_is_not_gone_beyond(whole):
    short = replace(whole, max_length=USUAL, window=USUAL)
    assert short.widest is short
    assert attention_maps(short, TEXT).truncated
