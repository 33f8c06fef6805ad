import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.concepts.sets import (
    concept_from_slice,
    concept_from_words,
    explained_rows,
    named_words,
    random_concept,
)
from lmcore.errors import DataError, InputError
from lmcore.tasks import load_task

TEXTS = [*[f"Delivery was late {n}" for n in range(10)], *[f"the colour is late-blooming {n}" for n in range(10)]]


def test_texts_with_one_of_the_words_make_a_concept():
    found = concept_from_words("delivery", ["delivery", "parcel"], TEXTS)
    assert found.texts == tuple(TEXTS[:10])
    assert found.others == tuple(TEXTS[10:])


def test_words_are_found_whole_and_several_in_order():
    assert concept_from_words("late", ["LATE"], TEXTS).texts == tuple(TEXTS[:10])
    assert concept_from_words("was late", ["was late"], TEXTS).texts == tuple(TEXTS[:10])
    with pytest.raises(DataError, match="0 texts with the concept 'x'"):
        concept_from_words("x", ["late was"], TEXTS)


def test_chinese_words_are_found_whole():
    texts = [*["物流很慢"] * 9, *["水流很急"] * 9]
    assert concept_from_words("物流", ["物流"], texts).texts == tuple(texts[:9])
    with pytest.raises(DataError, match="0 texts with"):
        concept_from_words("流", ["流"], texts)


def test_rows_of_a_slice_make_a_concept():
    frame = pd.DataFrame({"id": range(20), "text": TEXTS, "label": ["a"] * 8 + ["b"] * 4 + ["c"] * 8})
    found = concept_from_slice("a or b", frame, load_task("text-classification"), column="label", values=["a", "b"])
    assert (len(found.texts), len(found.others)) == (12, 8)
    with pytest.raises(DataError, match="no column 'nosuch'; they have: id, text, label"):
        concept_from_slice("x", frame, load_task("text-classification"), column="nosuch", values=["a"])


def test_too_few_texts_and_no_words_are_refused():
    with pytest.raises(DataError, match="There are 5 texts without the concept 'x'"):
        concept_from_words("x", ["delivery"], TEXTS[:15])
    with pytest.raises(InputError, match="No word is listed"):
        concept_from_words("x", [" ", "!"], TEXTS)


def test_draws_hang_on_the_seed_and_keep_their_order():
    one, other = (random_concept(TEXTS, 9, seed=seed) for seed in (0, 1))
    assert len(one.texts) == 9
    assert set(one.texts) | set(one.others) == set(TEXTS)
    assert one.texts != other.texts
    kept = concept_from_words("delivery", ["delivery"], TEXTS).sample(8, seed=0)
    assert np.all(np.diff([TEXTS.index(text) for text in kept.texts]) > 0)
    assert len(kept.others) == 8


@pytest.mark.parametrize(
    ("line", "name", "listed"),
    [("late: slow, delay", "late", ["slow", " delay"]), ("slow, delay", "slow, delay", ["slow", "delay"])],
)
def test_a_line_names_a_concept_and_its_words(line, name, listed):
    found = named_words(line)
    assert found[0] == name
    assert [word.strip() for word in found[1]] == [word.strip() for word in listed]


def test_rows_of_the_class_are_explained_and_all_where_it_has_none():
    frame = pd.DataFrame({"id": range(20), "text": TEXTS, "label": ["a", "b"] * 10})
    task = load_task("text-classification")
    assert explained_rows(frame, task, "b", 3) == [{"text": TEXTS[n]} for n in (1, 3, 5)]
    assert explained_rows(frame, task, "c", 2) == [{"text": TEXTS[n]} for n in (0, 1)]
