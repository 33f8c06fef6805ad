"""Lead-3, copying and the word-by-word dictionary."""

import pandas as pd
import pytest

from lmcore.tasks import load_task
from lmcore.tasks.dictionary import learn_dictionary
from lmcore.tasks.summarisation import lead
from tests.tasks.writers import NUMBERS, number_pairs


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four.", "One. Two! Three?"),
        ("A: hi\nB: hello there\nA: bye\nB: bye", "A: hi B: hello there A: bye"),
        ("今天下雨。我们在家！好吗？不好。", "今天下雨。 我们在家！ 好吗？"),
        ("It costs 3.50 euros", "It costs 3.50 euros"),
        ("", ""),
    ],
)
def test_lead_takes_three_sentences_or_lines(text, wanted):
    assert lead(text) == wanted


def test_the_dictionary_finds_each_words_translation():
    rows = number_pairs(60)
    dictionary = learn_dictionary(rows["source"].tolist(), rows["target"].tolist())
    assert {word: dictionary.words[word] for word in NUMBERS} == NUMBERS
    assert dictionary.translate("Six seven one .") == "sechs seven eins ."


def test_chinese_words_are_joined_without_spaces():
    found = learn_dictionary(["tea", "water", "rice"], ["茶", "水", "米饭"])
    assert found.translate("rice and tea") == "米饭and茶"


def test_copies_keep_ids_and_texts():
    train = pd.DataFrame({"id": [0], "source": ["hey you"], "target": ["Good day"]})
    test = pd.DataFrame({"id": [7, 3], "source": ["yo", "hey"], "target": ["Hello", "Hi"]})
    found = load_task("style-transfer").baselines(train, train, test, (), seed=0)
    assert [(p.id, p.text) for p in found["copy of the source"]] == [(7, "yo"), (3, "hey")]
