import numpy as np
import pytest

from lmcore.models.encode import encode_texts, length_sorted_batches, pad_batch


@pytest.fixture
def tokenizer(tiny_loaded):
    return tiny_loaded.tokenizer


def test_texts_become_what_the_tokenizer_says(tokenizer):
    texts = ["the rain was very very strong", "soup", "a map and a road"]
    encodings = encode_texts(tokenizer, texts, 64)
    assert encodings.ids == tokenizer(texts)["input_ids"]
    assert encodings.lengths.tolist() == [len(ids) for ids in encodings.ids]
    assert (encodings.plain == encodings.lengths - 2).all()
    assert encodings.truncated_share == 0


def test_cut_texts_are_counted_and_keep_their_special_tokens(tokenizer):
    texts = ["rain", "rain " * 100, "rain " * 6, "sun " * 7]
    encodings = encode_texts(tokenizer, texts, 8)
    assert len(encodings) == 4
    assert encodings.truncated.tolist() == [False, True, False, True]
    assert encodings.truncated_share == 0.5
    assert encodings.lengths.tolist() == [3, 8, 8, 8]
    for ids in encodings.ids:
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)


def test_unknown_tokens_are_counted_among_the_plain_ones(tokenizer):
    encodings = encode_texts(tokenizer, ["rain 很 rain 好", "rain", ""], 64)
    assert encodings.unknown.tolist() == [2, 0, 0]
    assert encodings.plain.tolist() == [4, 1, 0]
    assert encodings.unknown_share == pytest.approx(2 / 5)


def test_an_empty_text_is_its_special_tokens(tokenizer):
    assert encode_texts(tokenizer, [""], 64).ids == [[tokenizer.cls_token_id, tokenizer.sep_token_id]]
    nothing = encode_texts(tokenizer, [], 64)
    assert (len(nothing), nothing.unknown_share, nothing.truncated_share) == (0, 0, 0)


def test_a_text_of_100_000_characters_is_cut(tokenizer):
    encodings = encode_texts(tokenizer, ["rain " * 20_000, "sun\x00sun"], 32)
    assert encodings.lengths.tolist()[0] == 32
    assert encodings.truncated.tolist() == [True, False]


@pytest.mark.parametrize(("rows", "size"), [(0, 4), (1, 4), (8, 4), (9, 4), (5, 100)])
def test_batches_cover_every_row_once_the_longest_first(rows, size):
    lengths = np.random.default_rng(0).integers(1, 50, rows)
    batches = list(length_sorted_batches(lengths, size))
    order = np.concatenate([np.zeros(0, int), *batches])
    assert sorted(order.tolist()) == list(range(rows))
    assert (np.diff(lengths[order]) <= 0).all()
    assert all(len(batch) == size for batch in batches[:-1])


def test_padding_goes_to_the_right_and_is_masked(tokenizer):
    batch = pad_batch(tokenizer, [[5, 6, 7], [8]])
    pad = tokenizer.pad_token_id
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, pad, pad]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert str(batch["input_ids"].dtype) == "torch.int64"
