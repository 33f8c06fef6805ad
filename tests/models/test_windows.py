from itertools import pairwise

import numpy as np
import pytest

from lmcore.models.configured import train_tokenizer
from lmcore.models.windows import encode_words, first_tokens, merge_words
from lmcore.tasks.bio import cut_words, spaced_words

WORDS = [f"{a}{b}" for a in ("alpha", "beta", "gamma", "delta") for b in ("one", "two", "xyz")]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(
        ["alpha beta gamma delta one two xyz q xxyz", "alphaone 北京在哪里 , ."] * 3, vocabulary=90, max_length=64
    )


def encode(tokenizer, texts, max_length, labels=None):
    return encode_words(tokenizer, texts, [spaced_words(text) for text in texts], max_length, labels)


def drawn(seed, count):
    return " ".join(np.random.default_rng(seed).choice(WORDS, count))


def test_a_short_text_is_encoded_as_the_tokenizer_does(tokenizer):
    texts = [drawn(0, 5), drawn(1, 9)]
    encodings = encode(tokenizer, texts, 64)
    assert encodings.ids == tokenizer(texts)["input_ids"]
    assert encodings.owners.tolist() == [0, 1]
    assert not encodings.truncated.any()


def test_the_first_sub_word_carries_the_tag_and_the_others_none(tokenizer):
    text = drawn(2, 6)
    encodings = encode(tokenizer, [text], 64, [[5, 6, 7, 8, 9, 10]])
    oracle = tokenizer([text.split(" ")], is_split_into_words=True)
    previous, wanted = None, []
    for word in oracle.word_ids(0):
        wanted.append(-100 if word is None or word == previous else 5 + word)
        previous = word
    assert encodings.fields["labels"] == [wanted]
    assert max(np.diff(np.flatnonzero(np.array(wanted) >= 0))) > 1, "some word has several sub-words"


@pytest.mark.parametrize("max_length", [12, 17, 30])
def test_windows_hold_every_word_whole_and_overlap(tokenizer, max_length):
    text = drawn(3, 40)
    encodings = encode(tokenizer, [text], max_length, [list(range(40))])
    assert len(encodings) > 2
    assert encodings.lengths.max() <= max_length
    assert not encodings.truncated.any()
    words = [set(inside.tolist()) for inside in encodings.notes["words"]]
    assert set.union(*words) == set(range(40))
    assert all(one & other for one, other in pairwise(words)), "neighbours overlap"
    whole = {n: tokenizer(word, add_special_tokens=False)["input_ids"] for n, word in enumerate(text.split(" "))}
    for ids, inside in zip(encodings.ids, encodings.notes["words"], strict=True):
        assert ids[1:-1] == [token for word in inside for token in whole[word]], "no word is torn"


@pytest.mark.parametrize("max_length", [12, 17, 64])
def test_each_word_is_read_once_and_where_it_has_most_context(tokenizer, max_length):
    text = drawn(4, 40)
    encodings = encode(tokenizer, [text], max_length)
    outputs = [
        np.stack([np.full(len(ids), number), np.arange(len(ids))], axis=1).astype(np.float32)
        for number, ids in enumerate(encodings.ids)
    ]
    merged = merge_words(encodings, outputs, [40])[0]
    for word, (window, token) in enumerate(merged.astype(int)):
        options = {}
        for number, (inside, depths) in enumerate(
            zip(encodings.notes["words"], encodings.notes["depths"], strict=True)
        ):
            if word in inside:
                options[number] = depths[inside.tolist().index(word)]
        assert options[window] == max(options.values())
        inside = encodings.notes["words"][window].tolist()
        assert encodings.notes["tokens"][window][inside.index(word)] == token


def test_a_word_longer_than_a_window_is_counted_as_cut_and_nothing_else_is_lost(tokenizer):
    text = f"alphaone {'xyz' * 30} betatwo {'q' * 3} gammaxyz"
    encodings = encode(tokenizer, [text], 20)
    assert encodings.truncated.sum() == 1
    assert {int(w) for inside in encodings.notes["words"] for w in inside} == {0, 1, 2, 3, 4}
    ends = encode(tokenizer, ["xyz" * 30], 20)
    assert (len(ends), ends.truncated.tolist()) == (1, [True])


def test_a_word_that_the_tokenizer_drops_reads_as_nothing(tokenizer):
    text = "alphaone \u200b\u200d betatwo"
    encodings = encode(tokenizer, [text, ""], 64, [[0, 1, 2], []])
    assert encodings.notes["words"][0].tolist() == [0, 2]
    outputs = [np.ones((len(ids), 2), np.float32) for ids in encodings.ids]
    merged = merge_words(encodings, outputs, [3, 0])
    assert np.isnan(merged[0]).any(axis=1).tolist() == [False, True, False]
    assert merged[1].shape == (0, 2)


def test_raw_text_is_read_as_spaced_text_is(tokenizer):
    raw = "北京,alphaone."
    spaced = "北 京 , alphaone ."
    one = encode_words(tokenizer, [raw], [cut_words(raw)], 64)
    other = encode(tokenizer, [spaced], 64)
    assert one.ids == other.ids
    assert one.notes["tokens"][0].tolist() == other.notes["tokens"][0].tolist()


def test_words_that_share_a_token_share_its_reading():
    assert first_tokens([(0, 2), (2, 6), (7, 9)], [(0, 2), (2, 4), (4, 6), (6, 7), (7, 9)]).tolist() == [0, 1, 1, -1, 2]


def test_no_rows(tokenizer):
    encodings = encode_words(tokenizer, [], [], 64)
    assert len(encodings) == 0
    assert merge_words(encodings, [], []) == []
