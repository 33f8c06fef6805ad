import numpy as np
import pytest

from lmcore.analysis.asked import ask
from lmcore.analysis.attribution.units import UNITS, cut_units, hierarchy, open_places
from lmcore.data.stretches import phrase_places, sentence_places
from lmcore.models.reading import read_row
from tests.analysis.readers import CASES, reader


def pieces(cut, text):
    places = cut(text)
    assert "".join(text[a:b] for a, b in places) == text
    return [text[a:b].strip() for a, b in places]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It broke. I paid $3.50 for it!  Why?", ["It broke.", "I paid $3.50 for it!", "Why?"]),
        ('He said "no." Then he left', ['He said "no."', "Then he left"]),
        ("物流很慢。客服没人理！还会再买吗？", ["物流很慢。", "客服没人理！", "还会再买吗？"]),
        ("one line\nanother", ["one line", "another"]),
        ("...", ["..."]),
        ("", []),
    ],
)
def test_sentences(text, expected):
    assert pieces(sentence_places, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The parcel came late, and nobody answered.", ["The parcel came late,", "and nobody answered."]),
        ("It works because I fixed it", ["It works", "because I fixed it"]),
        ("物流很慢，但是质量很好。", ["物流很慢，", "但是质量很好。"]),
        ("1,000 people came", ["1,000 people came"]),
    ],
)
def test_phrases(text, expected):
    assert pieces(phrase_places, text) == expected


@pytest.mark.parametrize("task", CASES)
@pytest.mark.parametrize("kind", UNITS)
def test_every_open_token_has_one_unit(task, kind):
    given, target, output = CASES[task]
    loaded = reader(task)
    reading = ask(loaded, [given], [target], [output])[0].reading
    kept = open_places(reading, loaded.tokenizer)
    units = cut_units(reading, kind, kept)
    assert sorted(np.concatenate(units.places).tolist()) == np.flatnonzero(kept).tolist()
    tree = hierarchy(reading, units)
    assert tree.units == tuple(range(len(units)))
    scores = np.random.default_rng(0).normal(size=len(units))
    assert units.sums(units.spread(scores)) == pytest.approx(scores)


def test_words_are_whole_in_english_and_chinese():
    loaded = reader("text-classification")
    reading = read_row(loaded, "nothing 物流很慢")
    units = cut_units(reading, "word", open_places(reading, loaded.tokenizer))
    assert units.names[0] == "nothing"
    assert "物流" in units.names
    assert len(cut_units(reading, "token", open_places(reading, loaded.tokenizer))) > len(units)


@pytest.mark.parametrize("task", ["text-generation", "translation"])
def test_words_of_several_tokens_are_whole_where_the_space_before_them_is_counted_in(task):
    loaded = reader(task)
    reading = read_row(loaded, "Nothing was unreadable. Everybody slept", output="xyz")
    assert any(token.startswith(" ") for token in reading.tokens.tokens)
    kept = open_places(reading, loaded.tokenizer)
    wanted = ["Nothing", "was", "unreadable", ".", "Everybody", "slept"]
    names = [name for name in cut_units(reading, "word", kept).names if name.strip() and name not in "xyz"]
    assert names == wanted
    sentences = [name for name in cut_units(reading, "sentence", kept).names if name.strip()]
    assert sentences[:2] == ["Nothing was unreadable.", "Everybody slept"]


def test_no_unit_reaches_from_one_column_into_another():
    loaded = reader("question-answering")
    reading = read_row(loaded, {"question": "who told us", "context": "Anna told us"})
    units = cut_units(reading, "sentence", open_places(reading, loaded.tokenizer))
    assert units.names == ("who told us", "Anna told us")


def test_a_gap_is_never_taken_away():
    from tests.tasks.speakers import speaker

    loaded = speaker("completion", encoder=True)
    reading = read_row(loaded, "Anna told us [MASK] apples")
    units = cut_units(reading, "word", open_places(reading, loaded.tokenizer))
    assert not any("MASK" in name for name in units.names)
    assert len(units) >= 4
