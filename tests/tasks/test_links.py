import pytest

from lmcore.errors import DataError
from lmcore.tasks.links import read_links, word_stretches, write_links


def test_sure_links_are_possible_too():
    links = read_links("0-0 1p2  3-1")
    assert links.sure == {(0, 0), (3, 1)}
    assert links.possible == {(0, 0), (3, 1), (1, 2)}
    assert read_links("").possible == frozenset()
    assert read_links(write_links(links.sure)).sure == links.sure
    assert read_links("1-2 2p1", first=1).possible == {(0, 1), (1, 0)}


@pytest.mark.parametrize(("text", "first"), [("1", 0), ("1:2", 0), ("a-b", 0), ("-1-2", 0), ("0-1", 1)])
def test_another_form_is_named(text, first):
    with pytest.raises(DataError, match=rf"The link '{text}' cannot be read: .*counted from {first}"):
        read_links(text, first=first)


@pytest.mark.parametrize(
    ("text", "raw", "words"),
    [
        ("Mr. Speaker , no !", False, ["Mr.", "Speaker", ",", "no", "!"]),
        ("Don't stop, Mr. X!", True, ["Don't", "stop", ",", "Mr", ".", "X", "!"]),
        ("我爱北京 。", False, ["我", "爱", "北", "京", "。"]),
        ("我用Python，", True, ["我", "用", "Python", "，"]),
        ("我用Python，", False, ["我", "用", "Python，"]),
        ("  ", True, []),
    ],
)
def test_words(text, raw, words):
    assert [text[start:end] for start, end in word_stretches(text, raw=raw)] == words
