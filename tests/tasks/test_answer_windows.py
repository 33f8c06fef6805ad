import numpy as np
import pytest

from lmcore.models.configured import train_tokenizer
from lmcore.tasks.answer_windows import best_stretches, choose_threshold, encode_windows

CONTEXT = " ".join(f"word{n}" for n in range(60))
QUESTION = "which word is it"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([CONTEXT, QUESTION] * 3, max_length=64)


def logits(encodings, marked):
    """Zeros, but 5 where the (window, token) pairs of ``marked`` say."""
    starts = [np.zeros(len(ids), np.float32) for ids in encodings.ids]
    for window, token, value in marked:
        starts[window][token] = value
    return starts


def test_windows_hold_the_question_and_together_the_whole_context(tokenizer):
    encodings = encode_windows(tokenizer, [QUESTION, QUESTION], [CONTEXT, "word1 word2"], 32)
    assert max(map(len, encodings.ids)) <= 32
    assert encodings.rows.tolist() == [0] * (len(encodings) - 1) + [1]
    assert not encodings.truncated.any()
    seen = set()
    for places, ids in zip(encodings.notes["offsets"], encodings.ids, strict=True):
        assert tokenizer.decode(ids).startswith(f"[CLS] {QUESTION} [SEP]")
        seen |= {c for place in places if place for c in range(*place)}
    assert {c for c, letter in enumerate(CONTEXT) if letter != " "} <= seen
    first, second = (set(filter(None, encodings.notes["offsets"][n])) for n in (0, 1))
    assert len(first & second) >= 8, "an answer at the end of a window stands whole in the next"


def test_the_answer_is_pointed_at_in_every_window_that_has_it_whole(tokenizer):
    answer = "word30 word31"
    encodings = encode_windows(tokenizer, [QUESTION], [CONTEXT], 32, [[(answer, CONTEXT.index(answer))]])
    found = 0
    spans = zip(encodings.fields["start_positions"], encodings.fields["end_positions"], strict=True)
    for window, (start, end) in enumerate(spans):
        places = encodings.notes["offsets"][window]
        if start:
            found += 1
            assert CONTEXT[places[start][0] : places[end][1]] == answer
        else:
            assert end == 0
            assert answer not in CONTEXT[next(filter(None, places))[0] : [p for p in places if p][-1][1]]
    assert found >= 1
    none = encode_windows(tokenizer, [QUESTION], [CONTEXT], 32, [[]])
    assert set(none.fields["start_positions"]) == {0}


def test_a_question_longer_than_half_a_window_is_cut_and_counted(tokenizer):
    encodings = encode_windows(tokenizer, [CONTEXT, QUESTION], ["word1 word2", "word1"], 32)
    assert encodings.truncated.tolist() == [True] * (len(encodings) - 1) + [False]
    assert max(map(len, encodings.ids)) <= 32


@pytest.mark.parametrize("length", [8, 12, 16])
def test_very_small_windows_and_empty_texts_still_work(tokenizer, length):
    encodings = encode_windows(tokenizer, [CONTEXT, QUESTION, ""], [CONTEXT, "", "word1"], length)
    assert max(map(len, encodings.ids)) <= length
    zeros = logits(encodings, [])
    found = best_stretches(encodings, zeros, zeros, 3)
    assert (found[1].start, found[1].end, found[1].margin) == (0, 0, -1e9)
    assert found[0].margin == 0


def test_the_best_stretch_is_the_best_over_all_windows_and_never_backwards(tokenizer):
    encodings = encode_windows(tokenizer, [QUESTION], [CONTEXT], 32)
    places = encodings.notes["offsets"]
    last = len(encodings) - 1
    context = [n for n, place in enumerate(places[last]) if place]
    starts = logits(encodings, [(0, 0, 1.0), (last, context[2], 5.0), (last, context[6], 4.0)])
    ends = logits(encodings, [(0, 0, 2.0), (last, context[4], 3.0), (last, context[1], 7.0)])
    for n in range(1, len(encodings)):
        starts[n][0] = 2.0
    found = best_stretches(encodings, starts, ends, 1)[0]
    assert (found.start, found.end) == (places[last][context[2]][0], places[last][context[4]][1])
    assert found.margin == pytest.approx(5 + 3 - 2), "the lowest value of no answer over the windows is 2"
    assert 0 < found.share < 1


def test_the_share_of_a_stretch_is_its_softmax_among_all(tokenizer):
    encodings = encode_windows(tokenizer, [QUESTION], ["word1 word2"], 32)
    rng = np.random.default_rng(0)
    starts, ends = ([rng.normal(size=len(ids)).astype(np.float32) for ids in encodings.ids] for _ in range(2))
    found = best_stretches(encodings, starts, ends, 1)[0]
    inside = [n for n, place in enumerate(encodings.notes["offsets"][0]) if place]
    values = [float(starts[0][a]) + float(ends[0][b]) for a in inside for b in inside if a <= b]
    assert found.share == pytest.approx(np.exp(max(values)) / np.exp(values).sum(), rel=1e-5)


def test_the_threshold_is_the_best_of_all():
    rng = np.random.default_rng(1)
    margins, answered, silent = rng.normal(size=50).round(1), rng.random(50), (rng.random(50) < 0.4).astype(float)
    answered[silent == 1] = 0
    chosen = choose_threshold(margins, answered, silent)
    score = {t: np.where(margins > t, answered, silent).mean() for t in (*np.linspace(-4, 4, 801), chosen)}
    assert score[chosen] == pytest.approx(max(score.values()))


def test_one_kind_of_question_alone_is_always_or_never_answered():
    margins = np.array([-3.0, 2.0])
    assert choose_threshold(margins, np.ones(2), np.zeros(2)) == -4
    assert choose_threshold(margins, np.zeros(2), np.ones(2)) == 3
