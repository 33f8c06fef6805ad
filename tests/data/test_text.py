import pytest

from lmcore.data.text import comparison_key, is_blank, is_chinese, mostly_chinese, tidy, words


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Too  slow", "too slow ", True),
        ("a\tb\n", "A b", True),
        ("\u3000很好", "很好 ", True),
        ("STRASSE", "straße", True),
        ("too slow", "too slow!", False),
        ("很好", "很 好", False),
    ],
)
def test_comparison_key_passes_over_case_and_space_alone(left, right, same):
    assert (comparison_key(left) == comparison_key(right)) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("很好吃", True),
        ("iPhone 很好", True),
        ("good", False),
        ("the word 好 in an English sentence", False),
        ("", False),
        ("  ", False),
    ],
)
def test_is_chinese_needs_a_fifth_of_the_visible_characters(text, expected):
    assert is_chinese(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't like it, it's a re-run.", ["I", "don't", "like", "it", "it's", "a", "re-run"]),
        ("", []),
        ("!?", []),
        ("naïve café", ["naïve", "café"]),
    ],
)
def test_words_of_english_are_without_punctuation(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("texts", "expected"), [(["很好", "不错", "good"], True), (["很好", "good"], False), ([], False)]
)
def test_texts_are_mostly_chinese_where_more_than_half_of_them_are(texts, expected):
    assert mostly_chinese(texts) is expected


def test_words_of_chinese_are_whole():
    cut = words("快递员的服务态度很好，下次再来！")
    assert "".join(cut) == "快递员的服务态度很好下次再来"
    assert "服务态度" in cut or {"服务", "态度"} <= set(cut)
    assert len(cut) < len("快递员的服务态度很好下次再来")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t b\n\nc ", "a b c"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07", "bell"),
        ("\u3000全角\u3000空格", "全角 空格"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("，！“”…", "，！“”…"),
    ],
)
def test_tidy(text, expected):
    assert tidy(text) == expected
    assert tidy(tidy(text)) == expected


@pytest.mark.parametrize("text", ["", " ", "\u3000\n", "\u200b\ufeff", "\x00"])
def test_blank_texts_show_nothing(text):
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", " . ", "👍", "好"])
def test_visible_texts_are_not_blank(text):
    assert not is_blank(text)
