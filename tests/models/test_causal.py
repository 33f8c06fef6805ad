import pytest

from lmcore.models.causal import encode_learnt, encode_measured, strided_windows
from lmcore.models.encode import IGNORED
from tests.tasks.speakers import decoder_tokenizer

LONG = "Anna told us on day 3 that nothing is as good as apples " * 6


@pytest.mark.parametrize(
    ("length", "limit", "stride"), [(1, 8, 4), (8, 8, 4), (9, 8, 4), (100, 8, 4), (100, 8, 8), (23, 10, 9)]
)
def test_every_place_is_new_in_exactly_one_window(length, limit, stride):
    windows = strided_windows(length, limit, stride)
    assert [place for _, end, new in windows for place in range(new, end)] == list(range(length))
    assert all(0 < end - start <= limit and start <= new for start, end, new in windows)
    assert [start for start, _, _ in windows] == [n * stride for n in range(len(windows))]


def test_an_empty_sequence_has_no_window():
    assert strided_windows(0, 8, 4) == []


@pytest.mark.parametrize("limit", [8, 16, 500])
def test_measuring_predicts_every_token_once_and_cuts_nothing(limit):
    tokenizer = decoder_tokenizer()
    found = encode_measured(tokenizer, ["", LONG, "Ben"], limit)
    whole = [tokenizer(text)["input_ids"] for text in ("", LONG, "Ben")]
    for row, ids in enumerate(whole):
        own = [n for n, owner in enumerate(found.rows) if owner == row]
        assert [t for n in own for t in found.notes["targets"][n]] == ids[1:]
        for n in own:
            targets = [found.ids[n][place + 1] for place in found.notes["places"][n]]
            assert targets == found.notes["targets"][n]
    assert found.truncated_share == 0
    assert found.lengths.max() <= limit


@pytest.mark.parametrize("limit", [8, 16, 500])
def test_training_predicts_every_token_once_and_the_end(limit):
    tokenizer = decoder_tokenizer()
    found = encode_learnt(tokenizer, [LONG], limit)
    learnt = [t for window in found.fields["labels"] for t in window[1:] if t != IGNORED]
    assert learnt == [*tokenizer(LONG)["input_ids"][1:], tokenizer.eos_token_id]
    assert found.fields["labels"] == found.ids
