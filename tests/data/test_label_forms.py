import pytest

from lmcore.data.label_forms import (
    check_cells,
    empty_cell,
    label_fields,
    marked_words,
    row_words,
    said_cells,
    span_cell,
    written_cell,
)
from lmcore.data.load import load_dataset
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.types import Prediction, Span

CLASSES, LABELS, NAMES, SLOTS, ANSWERS = map(
    load_task,
    ("text-classification", "multi-label-classification", "named-entity-recognition", "slot-filling",
     "question-answering"),
)  # fmt: skip
CHINESE = {"id": 0, "text": "周 明 在 北 京"}
PASSAGE = {"id": 0, "question": "Where?", "context": "She lives in New York, not here."}


@pytest.mark.parametrize(
    ("sample", "task", "forms"),
    [
        ("feedback-en", "text-classification", ["class"]),
        ("relations-zh", "relation-extraction", ["class"]),
        ("hotels-zh", "multi-label-classification", ["classes"]),
        ("entities-zh", "named-entity-recognition", ["spans"]),
        ("requests-en", "slot-filling", ["spans", "class"]),
        ("passages-en", "question-answering", ["answer"]),
    ],
)
def test_each_task_has_its_form_and_a_label_of_a_sample_is_what_it_was(sample, task, forms):
    data = load_dataset(f"sample:{sample}", task=task)
    fields = label_fields(data)
    assert [field.form for field in fields] == forms
    kind = load_task(task)
    for row in data.frame.head(40).to_dict("records"):
        cells = {field.column: row[field.column] for field in fields}
        if all(cells.values()):
            assert check_cells(kind, row, cells) == cells
        for field in fields:
            if field.form == "spans":
                assert span_cell(kind, row, marked_words(kind, row, cells[field.column])) == cells[field.column]


def test_choices_are_those_of_the_data_and_of_what_was_given():
    data = load_dataset("sample:requests-en", task="slot-filling")
    tags, intent = label_fields(data, [{"tags": "B-mood I-mood O", "label": "rest"}])
    assert {"song", "artist", "mood"} <= set(tags.choices)
    assert "rest" in intent.choices
    assert list(intent.choices) == sorted(intent.choices)


@pytest.mark.parametrize("sample", ["kitchen-en", "translation-en-zh", "words-en-fr"])
def test_what_is_written_is_not_labelled(sample):
    from lmcore.data.samples import SAMPLES

    data = load_dataset(f"sample:{sample}", task=str(SAMPLES[sample].facts["task"]))
    with pytest.raises(OptionError, match="has no classes, tags or answers to label"):
        label_fields(data)


def test_a_chinese_character_is_a_word():
    marked = [(0, 2, "人名"), (3, 5, "地点")]
    cell = span_cell(NAMES, CHINESE, marked)
    assert cell == "B-人名 I-人名 O B-地点 I-地点"
    assert marked_words(NAMES, CHINESE, cell) == marked
    (field,) = (f for f in label_fields(load_dataset("sample:entities-zh", task=NAMES.name)) if f.column == "tags")
    assert written_cell(NAMES, field, CHINESE, cell) == "人名: 周明; 地点: 北京"
    assert empty_cell(NAMES, field, CHINESE) == "O O O O O"


def test_neighbours_of_one_type_stay_two_stretches():
    assert span_cell(NAMES, CHINESE, [(0, 1, "x"), (1, 3, "x")]) == "B-x B-x I-x O O"
    with pytest.raises(ValueError, match="in another one"):
        span_cell(NAMES, CHINESE, [(0, 2, "x"), (1, 3, "x")])


def test_an_answer_is_a_stretch_of_the_context():
    text, places = row_words(ANSWERS, PASSAGE)
    words = [text[a:b] for a, b in places]
    first = words.index("New")
    cell = span_cell(ANSWERS, PASSAGE, [(first, first + 2, "")])
    assert cell == '[{"text": "New York", "start": 13}]'
    assert marked_words(ANSWERS, PASSAGE, cell) == [(first, first + 2, "")]
    assert check_cells(ANSWERS, PASSAGE, {"answers": "New York"}) == {"answers": cell}
    assert span_cell(ANSWERS, PASSAGE, []) == "[]"


@pytest.mark.parametrize(
    ("task", "row", "cells", "said"),
    [
        (CLASSES, {"id": 4}, {"label": " "}, "The label of row 5 cannot be used: give label"),
        (CLASSES, {"id": 4}, {"label": "a", "text": "b"}, "and nothing else"),
        (CLASSES, {"id": 4}, {"label": "a\nb"}, "visible characters"),
        (SLOTS, {"id": 4, "text": "a b"}, {"tags": "O O"}, "give tags and label"),
        (NAMES, CHINESE, {"tags": "O O"}, "it has 2 tags for 5 words"),
        (NAMES, CHINESE, {"tags": "O O O O place"}, "'place' is no tag"),
        (ANSWERS, PASSAGE, {"answers": "Paris"}, "does not stand anywhere in the context"),
    ],
)
def test_what_does_not_fit_is_refused(task, row, cells, said):
    with pytest.raises(DataError, match=said):
        check_cells(task, row, cells)


def test_labels_are_kept_in_the_form_of_the_task():
    assert check_cells(LABELS, {"id": 0}, {"label": "room | noise|room"}) == {"label": "noise|room"}
    assert check_cells(LABELS, {"id": 0}, {"label": "-"}) == {"label": "-"}
    assert check_cells(NAMES, {"id": 0, "text": "a b c"}, {"tags": "I-x E-x S-y"}) == {"tags": "B-x I-x B-y"}


def test_a_prediction_becomes_the_cells_of_a_person():
    assert said_cells(CLASSES, {"id": 0, "text": "a"}, Prediction(0, "tea")) == {"label": "tea"}
    found = said_cells(SLOTS, {"id": 0, "text": "play blue moon"}, Prediction(0, "music", spans=(Span(5, 14, "song"),)))
    assert found == {"tags": "O B-song I-song", "label": "music"}
    answer = Prediction(0, "answer", spans=(Span(13, 21, "answer"),), text="New York")
    assert said_cells(ANSWERS, PASSAGE, answer) == {"answers": '[{"text": "New York", "start": 13}]'}
    assert said_cells(ANSWERS, PASSAGE, Prediction(0, "no answer")) == {"answers": "[]"}
