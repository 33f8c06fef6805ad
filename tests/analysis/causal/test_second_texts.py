"""Texts to begin with."""

import pandas as pd
import pytest

from lmcore.analysis.causal.second_texts import opposite_texts, second_text
from lmcore.data.dataset import TextDataset
from tests.analysis.readers import reader


@pytest.mark.parametrize(
    "text",
    ["The capital of France is", "Anna told us on day 7 that nothing is good", "快递很快，服务也很好。", "apples"],
)
def test_one_word_is_changed(text):
    loaded = reader("text-classification")
    other = second_text(loaded, text)
    assert other != text
    as_long = second_text(loaded, text, as_long=True)
    sizes = [len(loaded.tokenizer(each)["input_ids"]) for each in (text, as_long)]
    assert sizes[0] == sizes[1]


def test_a_name_is_swapped_first_and_every_column_stays():
    loaded = reader("question-answering")
    given = {"question": "Who lives in Paris?", "context": "Anna lives in Paris."}
    other = second_text(loaded, given)
    assert set(other) == set(given)
    assert sum(other[name] != given[name] for name in given) == 1
    assert second_text(loaded, "The capital of France is").startswith("The capital of ")


def test_a_text_without_words_stays_as_it_is():
    assert second_text(reader("text-classification"), "?", as_long=True) in ("?", "!", "。")


def test_sets_come_from_the_data_else_are_in_the_language_of_the_text():
    rows = pd.DataFrame({"id": range(6), "text": ["a b", "c", "d\ne", "f", "g", ""], "label": list("xyxyzx")})
    towards, away = opposite_texts("a", TextDataset("t", "text-classification", rows), "x")
    assert towards == ("a b", "d e")
    assert away == ("c", "f", "g")
    assert opposite_texts("a", TextDataset("t", "text-classification", rows), "none")[0][0].startswith("I love")
    assert opposite_texts("很好", None, "")[0][0].startswith("我很喜欢")
