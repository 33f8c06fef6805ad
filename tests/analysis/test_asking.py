"""What a stranger would try first: names in place of targets, wrong types, misspelt options."""

from dataclasses import replace

import pytest

from lmcore.analysis import attribute, attribute_logits, counterfactuals, find_neurons, logit_lens
from lmcore.errors import InputError, OptionError, UnknownError
from lmcore.types import Target
from tests.tasks.speakers import speaker


def test_a_class_can_be_given_by_its_name(tiny_loaded):
    text = "the rain was very cold today"
    by_name = attribute(tiny_loaded, text, "food", method="input_x_gradient")
    assert by_name.target == Target("class", "food")
    assert by_name.fingerprint == attribute(tiny_loaded, text, by_name.target, method="input_x_gradient").fingerprint
    assert logit_lens(tiny_loaded, text, "weather").target == Target("class", "weather")
    with pytest.raises(UnknownError, match="known: food"):
        attribute(tiny_loaded, text, "sports")


def test_words_of_an_output_can_be_given():
    loaded = speaker("text-generation")
    assert attribute_logits(loaded, "Anna told us", "day 3", output="on day 3").target == Target(
        "phrase", "day 3", 3, 8
    )
    with pytest.raises(InputError, match="There is no 'apples'"):
        logit_lens(loaded, "Anna told us", "apples", output="on day 3")


def test_a_decoder_without_a_pad_token_is_blanked_with_the_end_of_a_text():
    import copy

    loaded = speaker("text-generation")
    bare = copy.deepcopy(loaded.tokenizer)
    end = bare.eos_token_id
    bare.pad_token = None
    found = attribute(replace(loaded, tokenizer=bare), "Anna told us", "day", output="on day", steps=8)
    assert bare.pad_token_id is None
    bare.pad_token_id = end
    padded = attribute(replace(loaded, tokenizer=bare), "Anna told us", "day", output="on day", steps=8)
    assert found.scores.tolist() == pytest.approx(padded.scores.tolist())


@pytest.mark.parametrize("text", [["one", "two"], None, 3])
def test_what_is_no_text_is_said(tiny_loaded, text):
    with pytest.raises(InputError, match="give one text, or a mapping"):
        attribute(tiny_loaded, text)


def test_a_misspelt_option_is_said(tiny_loaded):
    with pytest.raises(OptionError, match="counterfactuals has no option 'budgt'; it takes: edits"):
        counterfactuals(tiny_loaded, "some rain", budgt=3)
    with pytest.raises(OptionError, match="find_neurons has no option 'layer'"):
        find_neurons(tiny_loaded, ["some rain"], layer=3)
