import json

import numpy as np
import pandas as pd
import pytest

from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.profile import profile_dataset
from lmcore.errors import DataError
from lmcore.tasks.entities import NamedEntityRecognition
from lmcore.tasks.tagging import ALL_OUTSIDE, UNIGRAM
from lmcore.types import Prediction, Span

TASK = NamedEntityRecognition()
NAME = TASK.name


def frame(texts, tags, ids=None):
    rows = {"id": np.arange(len(texts)) if ids is None else ids, "text": texts, "tags": tags}
    return pd.DataFrame(rows).astype({"text": "str", "tags": "str"})


@pytest.mark.parametrize(
    ("text", "tags", "wanted"),
    [
        ("Ann  is\tin\nOslo", "B-p O  O I-l", ("Ann is in Oslo", "B-p O O B-l")),
        (json.dumps(["Ann", "New York"]), json.dumps(["U-p", "S-l"]), ("Ann New\u00a0York", "B-p B-l")),
        ("王在北京。", "B-p O B-l E-l O", ("王 在 北 京 。", "B-p O B-l I-l O")),
        ("[ odd", "O O", ("[ odd", "O O")),
        ("no tags yet", "", ("no tags yet", "")),
    ],
)
def test_cells_are_read_in_the_forms_that_files_have(text, tags, wanted):
    table = pd.DataFrame({"tokens": [text], "ner_tags": [tags]})
    data = load_dataset(table, task=NAME)
    assert tuple(data.frame.loc[0, ["text", "tags"]]) == wanted


@pytest.mark.parametrize(
    ("text", "tags", "sentence"),
    [
        ("a b c", "O O", r"Row 2 of the frame has 3 words and 2 tags: give one tag for each word"),
        ("a", "O O", r"Row 2 of the frame has 1 word and 2 tags"),
        ("a b", "O PER", r"Row 2 of the frame has the tag 'PER', which is of no known scheme: write O outside"),
        ('["a", "b"]', "[0, 3]", r"Row 2 of the frame has the tag '0'"),
    ],
)
def test_rows_that_cannot_be_read_are_named(text, tags, sentence):
    with pytest.raises(DataError, match=sentence):
        load_dataset(pd.DataFrame({"text": ["x", text], "tags": ["O", tags]}), task=NAME)


def test_rows_that_cannot_be_trained_on_are_named():
    with pytest.raises(DataError, match="Row 8 has 2 words and 1 tag:"):
        TASK.check(frame(["a", "a b"], ["B-x", "O"], [3, 7]), "It")
    with pytest.raises(DataError, match="It has no tag but O: there is nothing to learn"):
        TASK.check(frame(["a", "a b"], ["O", "O O"]), "It")
    with pytest.raises(DataError, match="It has 1 row without tags, the first is row 1"):
        TASK.check(frame(["a"], [""]), "It")
    with pytest.raises(DataError, match=r"It has no tag that the model knows; it knows: B-y, I-y\."):
        TASK.check(frame(["a"], ["B-x"]), "It", ("O", "B-y", "I-y"))


def test_a_tag_that_the_model_has_not_learnt_is_missed_not_refused():
    rows = frame(["a b"], ["B-x B-new"])
    TASK.check(rows, "It", ("O", "B-x"))
    values = TASK.measure(rows, [Prediction(0, spans=(Span(0, 1, "x"),))], ("O", "B-x"))
    assert values == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3})


def test_labels_begin_with_outside_and_are_bio():
    assert TASK.labels(frame(["a b c", "d"], ["I-b I-b O", "B-a"])) == ("O", "B-a", "B-b", "I-b")


def test_the_profile_counts_entities_by_type_and_missing_tags_are_found():
    data = load_dataset(pd.DataFrame({"text": ["a b", "c d", "e"], "tags": ["B-x I-x", "B-x B-y", ""]}), task=NAME)
    labels = profile_dataset(data).labels
    assert labels[["label", "rows"]].to_numpy().tolist() == [["x", 2], ["y", 1]]
    assert find_issues(data).counts["missing_label"] == 1


def test_baselines_are_the_most_frequent_tag_of_each_word_and_none():
    train = frame(["ann met bo", "ann ran", "ann"], ["B-p O B-p", "B-p O", "O"])
    test = frame(["bo met ann and cy"], ["B-p O B-p O B-p"], [9])
    found = TASK.baselines(train, train, test, TASK.labels(train), seed=0)
    assert list(found) == [UNIGRAM, ALL_OUTSIDE]
    assert [(s.start, s.end) for s in found[UNIGRAM][0].spans] == [(0, 2), (7, 10)]
    assert found[ALL_OUTSIDE] == [Prediction(9)]
    assert TASK.measure(test, found[UNIGRAM], ())["recall"] == pytest.approx(2 / 3)


def test_torn_readings_are_joined_and_dropped_words_are_outside():
    logits = np.array([[0, 0, 5.0], [np.nan] * 3, [9.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]], np.float32)
    places = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    (spans, score), (none, sure) = TASK.read_tags([logits, np.zeros((0, 3))], [places, []], ("O", "B-x", "I-x"))
    assert [(s.start, s.end, s.label) for s in spans] == [(0, 1, "x"), (6, 9, "x")]
    assert score == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert (none, sure) == ((), 1.0)


def test_the_table_writes_entities_for_people():
    rows = frame(["in New York", "so"], ["O B-l I-l", "O"], [4, 5])
    table = TASK.table(rows, [Prediction(4, score=0.5, spans=(Span(3, 6, "l"),)), Prediction(5, score=0.9)])
    assert table["gold"].tolist() == ["l: New York", ""]
    assert table["label"].tolist() == ["l: New", ""]
    assert table["correct"].tolist() == [False, True]
