import pytest
from seqeval.metrics.sequence_labeling import get_entities

from lmcore.tasks.bio import cut_words, spaced_words, spans_of, strange_tag, stretches, to_bio, written_spans
from lmcore.types import Span


def words(text):
    return [text[start:end] for start, end in cut_words(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("St. Louis, MO", ["St", ".", "Louis", ",", "MO"]),
        ("It's 3.5 km at 12:30", ["It's", "3.5", "km", "at", "12:30"]),
        ("an e-mail to @ann #now", ["an", "e-mail", "to", "@ann", "#now"]),
        ("我在iPhone上看NBA2024。", ["我", "在", "iPhone", "上", "看", "NBA2024", "。"]),
        ("end.Next  \t\n word", ["end", ".", "Next", "word"]),
        ("naïve 😀", ["naïve", "😀"]),
        ("", []),
        (" \u3000", []),
    ],
)
def test_raw_text_is_cut_into_words_and_marks_and_chinese_into_characters(text, wanted):
    assert words(text) == wanted


def test_spaces_alone_separate_words_of_tagged_rows():
    text = "St. Louis\u00a0Park , MO"
    assert [text[start:end] for start, end in spaced_words(text)] == ["St.", "Louis\u00a0Park", ",", "MO"]


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("O B-a I-a O", "O B-a I-a O"),
        ("I-a I-a O I-a", "B-a I-a O B-a"),
        ("I-a B-a I-b", "B-a B-a B-b"),
        ("B-a I-b I-b", "B-a B-b I-b"),
        ("B-a I-a E-a S-a I-a", "B-a I-a I-a B-a B-a"),
        ("B-a L-a U-b U-b O", "B-a I-a B-b B-b O"),
        ("B-a M-a E-a O E-a", "B-a I-a I-a O B-a"),
        ("B-x-y I-x-y", "B-x-y I-x-y"),
        ("", ""),
    ],
)
def test_every_scheme_becomes_bio_and_torn_stretches_are_mended(tags, wanted):
    assert to_bio(tags.split()) == wanted.split()
    assert to_bio(to_bio(tags.split())) == wanted.split()


@pytest.mark.parametrize("tags", ["O B-a I-a I-b O B-b B-b I-b", "I-a O I-b I-b", "B-a", "O", "I-a B-a I-a"])
def test_stretches_are_those_of_seqeval(tags):
    found = [(kind, first, end - 1) for first, end, kind in stretches(tags.split())]
    assert found == get_entities(tags.split())


@pytest.mark.parametrize("tag", ["PER", "b-a", "0", "B-", "-a", "B_a", "3", "X-a", "o"])
def test_a_tag_of_no_scheme_is_found(tag):
    assert strange_tag(["O", "B-a", tag]) == tag
    assert strange_tag(["O", "B-a", "S-b.c#d"]) is None


def test_spans_are_characters_with_the_mean_score_of_their_words():
    text = "in New York now"
    spans = spans_of(["O", "B-place", "I-place", "O"], spaced_words(text), [0.9, 0.5, 0.7, 0.9])
    assert [(text[s.start : s.end], s.label) for s in spans] == [("New York", "place")]
    assert spans[0].score == pytest.approx(0.6)


def test_spans_are_written_for_people():
    assert written_spans("in New York now", [Span(3, 11, "place")]) == "place: New York"
    assert written_spans("我 在 北 京 用 AI X", [Span(4, 7, "地"), Span(10, 14, "物")]) == "地: 北京; 物: AI X"
    assert written_spans("x", []) == ""
