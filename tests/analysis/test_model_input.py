import pytest

from lmcore.analysis.model_input import encode_inputs, name_tokens, read_input
from lmcore.errors import InputError
from tests.analysis.readers import TEXT, reader
from tests.tasks.speakers import decoder_tokenizer, encoder_tokenizer


def test_tokens_of_a_pair_know_their_places_in_the_joined_texts():
    tokenizer = encoder_tokenizer()
    ids = tokenizer("who told us", "Anna told us")["input_ids"]
    tokens = name_tokens(tokenizer, ["who told us", "Anna told us"], ids)
    assert tokens.text == "who told us\nAnna told us"
    shown = [tokens.text[start:end] for start, end in tokens.offsets if end > start]
    assert shown == [name for name, special in zip(tokens.tokens, tokens.special, strict=True) if not special]
    last = tokens.tokens.index("Anna")
    assert tokens.offsets[last].tolist() == [12, 16]
    assert [tokens.tokens[place] for place in tokens.special.nonzero()[0]] == ["[CLS]", "[SEP]", "[SEP]"]


def test_tokens_that_are_none_of_the_text_are_shown_as_they_decode():
    tokenizer = decoder_tokenizer()
    ids = tokenizer("Ben told us", add_special_tokens=False)["input_ids"]
    tokens = name_tokens(tokenizer, ["something else"], ids)
    assert "".join(tokens.tokens) == "Ben told us"
    assert not tokens.offsets.any()


def test_a_row_is_read_by_its_columns():
    loaded = reader("question-answering")
    row = {"question": "who told us", "context": TEXT}
    tokens, encodings = read_input(loaded, row)
    assert tokens.ids.tolist() == encodings.ids[0]
    assert encodings.fields["token_type_ids"][0] == loaded.tokenizer(*row.values())["token_type_ids"]
    both = encode_inputs(loaded, [row, row | {"question": "who"}])
    assert len(both) == 2
    assert both.lengths[0] == len(tokens.ids)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"question": "who"}, "The context is empty"),
        ({"question": " ", "context": TEXT}, "The question is empty"),
        ("  ", "The text is empty"),
    ],
)
def test_what_is_empty_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        read_input(reader("question-answering"), given)
