import numpy as np
import pandas as pd
import pytest

from lmcore.data.columns import canonical_frame, suggest_columns
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task

NAME = "text-classification"
TASK = load_task(NAME)


def table(**columns):
    return pd.DataFrame(columns, dtype="str")


def canonical(frame, columns=None):
    return canonical_frame(frame, TASK, "a.csv", columns)


@pytest.mark.parametrize(
    ("text", "label"), [("text", "label"), ("Review", "SENTIMENT"), ("评论", "类别"), (" content ", "Class")]
)
def test_columns_are_found_by_the_names_that_the_task_knows(text, label):
    frame = canonical(table(**{label: ["x", "y"], text: ["a", "b"], "shop": ["1", "2"]}))
    assert frame.columns.tolist() == ["id", "text", "label", "shop"]
    assert frame["id"].dtype == np.int64
    assert frame.values.tolist() == [[0, "a", "x", "1"], [1, "b", "y", "2"]]


def test_a_missing_column_lists_those_that_are_there():
    with pytest.raises(DataError, match=r"a\.csv has no column that is called label .*it has: text, stars, shop\."):
        canonical(table(text=["a"], stars=["1"], shop=["s"]))


def test_a_mapping_by_name_and_by_position():
    frame = table(words=["a"], stars=["1"], label=["other"])
    for columns in ({"text": "words", "label": "stars"}, {"text": 0, "label": 1}):
        chosen = canonical(frame, columns)
        assert chosen.columns.tolist() == ["id", "text", "label", "label (file)"]
        assert chosen.values.tolist() == [[0, "a", "1", "other"]]


def test_what_a_mapping_leaves_out_is_found_by_name():
    assert canonical(table(words=["a"], label=["x"]), {"text": "words"}).values.tolist() == [[0, "a", "x"]]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"text": "none"}, DataError, r"a\.csv has no column 'none'; it has: words, label"),
        ({"text": 2}, DataError, "no column at position 2: give 0 to 1"),
        ({"text": -1}, DataError, "no column at position -1"),
        ({"text": "label", "label": "label"}, DataError, "given twice"),
        ({"summary": "words"}, OptionError, "has no column 'summary'; it reads: text, text_pair, label"),
    ],
)
def test_wrong_mappings(columns, error, message):
    with pytest.raises(error, match=message):
        canonical(table(words=["a"], label=["x"]), columns)


def test_space_around_a_label_is_no_other_class():
    frame = canonical(table(text=[" a "], label=[" pos "]))
    assert frame[["text", "label"]].values.tolist() == [[" a ", "pos"]]


def test_a_split_column_is_taken_over():
    names = ["train", "Validation", "valid", "dev", " TEST "]
    frame = canonical(table(text=list("abcde"), label=list("xyxyx"), Split=names))
    assert frame.columns.tolist() == ["id", "text", "label", "split"]
    assert frame["split"].tolist() == ["train", "dev", "dev", "dev", "test"]


def test_a_column_that_is_called_split_and_holds_other_things_is_kept_under_another_name():
    frame = canonical(table(text=["a", "b"], label=["x", "y"], split=["banana", "train"], id=["7", "8"]))
    assert frame.columns.tolist() == ["id", "text", "label", "split (file)", "id (file)"]
    assert frame["id (file)"].tolist() == ["7", "8"]


def test_suggestions_by_name_come_first():
    frame = table(label=["p", "n"], text=["short", "x"], note=["a much longer piece of writing"] * 2)
    assert suggest_columns(frame, NAME) == {"text": "text", "label": "label"}


def test_suggestions_by_content():
    rows = range(40)
    frame = table(
        id=[str(n) for n in rows],
        c1=[f"the long and different text of row {n}" for n in rows],
        c2=["good" if n % 2 else "bad" for n in rows],
        c3=["always"] * 40,
        c4=[f"user {n}" for n in rows],
    )
    assert suggest_columns(frame, NAME) == {"text": "c1", "label": "c2"}


def test_no_suggestion_where_nothing_suits():
    assert suggest_columns(table(a=["one text", "another text"]), NAME) == {"text": "a"}
