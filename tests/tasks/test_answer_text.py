import collections
import re
import string

import pytest

from lmcore.tasks.answer_text import exact_match, f1, normalise, place_answers, read_answers


def squad_normalise(text):
    """The normalisation of SQuAD 2.0's evaluation script."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text, flags=re.UNICODE).split())


def squad_f1(gold, said):
    """The F1 of SQuAD 2.0's evaluation script."""
    golds, saids = squad_normalise(gold).split(), squad_normalise(said).split()
    same = sum((collections.Counter(golds) & collections.Counter(saids)).values())
    if len(golds) == 0 or len(saids) == 0:
        return int(golds == saids)
    if same == 0:
        return 0
    precision, recall = same / len(saids), same / len(golds)
    return 2 * precision * recall / (precision + recall)


PAIRS = [
    ("The Beatles", "beatles"), ("a cat, the dog", "Dog & cat"), ("308 points", "308"), ("", ""), ("", "Paris"), ("Paris", ""),
    ("the", "a"), ("$6.5 million", "6.5 million"), ("in 1066 at Hastings", "1066"), ("café–bar", "café bar"), ("U.S.", "US"),
    ("one two two", "two two three"), ("Ørsted's law", "ørsteds Law"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "gold"), PAIRS)
def test_english_answers_are_compared_as_squads_script_does(said, gold):
    assert normalise(said) == squad_normalise(said)
    assert f1(said, [gold]) == pytest.approx(squad_f1(gold, said))
    assert exact_match(said, [gold]) == float(squad_normalise(said) == squad_normalise(gold))


def test_chinese_answers_are_compared_by_character():
    assert exact_match("三分之一。", ["三分之一"]) == 1
    assert exact_match("《红楼 梦》", ["红楼梦"]) == 1
    assert f1("一座小博物馆", ["小博物馆"]) == pytest.approx(2 * 4 / (6 + 4))
    assert f1("北京", ["上海"]) == 0
    assert f1("2019年，", ["2019 年"]) == 1
    assert f1("在ＮＢＡ打球", ["nba"]) == pytest.approx(2 / 5)


def test_the_best_of_several_right_answers_counts_and_none_means_silence():
    assert f1("blue", ["red", "dark blue"]) == pytest.approx(2 / 3)
    assert exact_match("blue", ["red", "Blue"]) == 1
    assert (exact_match("", []), f1("", [])) == (1, 1)
    assert (exact_match("blue", []), f1("blue", [])) == (0, 0)


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ('[{"text": "x y", "start": 3}]', [("x y", 3)]),
        ('[{"text": "x", "answer_start": 0}, {"text": "y", "answer_start": 2}]', [("x", 0), ("y", 2)]),
        ('{"text": ["x"], "answer_start": [4]}', [("x", 4)]),
        ('{"text": [], "answer_start": []}', []),
        ("[]", []),
        ("", []),
        ("x y", [("x y", -1)]),
    ],
)
def test_every_form_of_answers_is_read(cell, answers):
    assert read_answers(cell) == answers


@pytest.mark.parametrize("cell", ['[{"text": "x"}]', "[1]", "{", '{"text": ["x"], "start": []}', "[[]]"])
def test_other_forms_are_refused(cell):
    with pytest.raises(ValueError, match="answers are written as"):
        read_answers(cell)


def test_an_answer_must_stand_in_its_place():
    assert place_answers("blue", "the blue sky") == [("blue", 4)]
    assert place_answers('[{"text": "blue", "start": 4}]', "the blue sky") == [("blue", 4)]
    with pytest.raises(ValueError, match="'blue' does not stand at character 5 of the context"):
        place_answers('[{"text": "blue", "start": 5}]', "the blue sky")
    with pytest.raises(ValueError, match="'red' does not stand anywhere in the context"):
        place_answers("red", "the blue sky")
    with pytest.raises(ValueError, match="does not stand"):
        place_answers('[{"text": "", "start": 0}]', "the blue sky")
