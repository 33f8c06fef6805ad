from dataclasses import replace

import numpy as np
import pytest

from lmcore.errors import InputError
from lmcore.models.configured import train_tokenizer
from lmcore.models.text_tokens import TextTokens, read_tokens, word_spans


@pytest.fixture(scope="module")
def tokenizer():
    texts = ["unhappy happy", "happiness is unhappy", "外卖很好吃", "外卖太慢了"] * 3
    return train_tokenizer(texts, vocabulary=80, max_length=32)


def read(tokenizer, text, limit=32):
    return read_tokens(tokenizer, [text], limit)[0]


def test_tokens_show_the_stretch_of_the_text_that_they_stand_for(tokenizer):
    found = read(tokenizer, "Unhappy Happiness!")
    assert (found.tokens[0], found.tokens[-1]) == ("[CLS]", "[SEP]")
    assert "".join(found.tokens[1:-1]) == "UnhappyHappiness!"
    assert not any("##" in token for token in found.tokens)
    for token, (start, end), special in zip(found.tokens, found.offsets, found.special, strict=True):
        assert special or found.text[start:end] == token
    assert found.special.tolist() == [True] + [False] * (len(found.ids) - 2) + [True]
    assert not found.truncated


def test_scores_of_pieces_add_up_to_words_and_punctuation_stands_alone(tokenizer):
    found = read(tokenizer, "Unhappy, happiness!")
    scores = np.arange(len(found.ids), dtype=float)
    frame = found.sum_by_word(scores)
    assert frame["word"].tolist() == ["Unhappy", ",", "happiness", "!"]
    assert [found.text[s:e] for s, e in zip(frame["start"], frame["end"], strict=True)] == frame["word"].tolist()
    assert frame["score"].sum() == scores[~found.special].sum()


def test_chinese_characters_are_put_together_to_words(tokenizer):
    found = read(tokenizer, "外卖太慢了，很好吃")
    assert len(found.ids) == 11
    frame = found.sum_by_word(np.ones(11))
    assert frame["word"].tolist()[:1] == ["外卖"]
    assert frame["score"].tolist()[:1] == [2.0]
    assert "，" in frame["word"].tolist()
    assert frame["score"].sum() == 9


def test_what_the_vocabulary_lacks_is_shown_as_it_is_and_marked(tokenizer):
    found = read(tokenizer, "happy 🦊 שלום")
    assert found.tokens[-3:-1] == ("🦊", "שלום")
    assert found.unknown.tolist()[-3:] == [True, True, False]
    assert found.sum_by_word(np.ones(len(found.ids)))["word"].tolist()[-1] == "שלום"


def test_a_long_text_is_cut_at_the_limit_and_says_so(tokenizer):
    found = read(tokenizer, "happy " * 20_000, limit=16)
    assert (len(found.ids), found.truncated) == (16, True)
    assert found.offsets.max() < 120


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_text_is_refused(tokenizer, text):
    with pytest.raises(InputError, match="The text is empty"):
        read(tokenizer, text)


def test_a_text_without_any_character_that_is_read_is_refused(tokenizer):
    with pytest.raises(InputError, match="no character that the model's tokenizer reads"):
        read(tokenizer, "\u200d\u0001")


def test_words_that_occur_twice_are_found_in_their_order():
    text = "to be or not to be"
    assert [text[start:end] for start, end in word_spans(text)] == text.split()
    assert word_spans(text)[-1] == (16, 18)


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        ([[0, 4], [5, 9]], "only its beginning was read"),
        ([[5, 9], [10, 12]], "only its end was read"),
        ([[5, 9], [5, 9]], "only a part of it was read"),
        ([[0, 4], [10, 12]], "only a part of it was read"),
    ],
)
def test_what_was_read_of_a_text_that_was_cut_is_said(offsets, said):
    places = np.array([[0, 0], *offsets])
    special = np.array([True, False, False])
    found = TextTokens("Anna told us ", np.arange(3), ("<s>", "a", "b"), places, special, ~special, truncated=True)
    assert said in found.cut_note
    assert replace(found, truncated=False).cut_note == ""


def test_a_space_that_a_tokenizer_counts_to_a_word_does_not_part_it():
    """The byte-level tokenizers of decoders give " al" + "ready" where others give "al" + "ready"."""
    text = "I'm already late.  Why"
    whole = [(0, 1), (1, 2), (2, 3), (3, 6), (6, 11), (11, 16), (16, 17), (17, 19), (19, 22)]
    trimmed = [(a + (text[a:b] == " al") + (text[a:b] == " late"), b) for a, b in whole]
    scores = np.arange(1.0, 10.0)
    tables = []
    for offsets in (whole, trimmed):
        tokens = TextTokens(
            text, np.arange(9), tuple(text[a:b] for a, b in offsets), np.array(offsets), np.zeros(9, dtype=bool),
            np.zeros(9, dtype=bool), False,
        )  # fmt: skip
        tables.append(tokens.sum_by_word(scores))
        assert tokens.begins.tolist() == [0, 1, 2, 4, 6, 12, 16, 17, 19]
    assert tables[0].equals(tables[1])
    assert tables[0]["word"].tolist() == ["I'm", "already", "late", ".", "  ", "Why"]
    assert tables[0]["score"].tolist() == [6, 9, 6, 7, 8, 9]
