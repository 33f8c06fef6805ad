"""What a row teaches, and what a model said of a text as if it were a row."""

import numpy as np
import pytest

from lmcore.analysis.examples.rows import input_frame
from lmcore.models.encode import IGNORED
from lmcore.tasks import TASKS, load_task
from lmcore.types import Prediction, Span
from tests.analysis.examples.test_last_layer import CASES, WRITTEN, rows_of
from tests.analysis.readers import reader
from tests.tasks.speakers import speaker


def test_the_tasks_that_learn_are_those_that_can_be_trained():
    learning = {name for name, method in TASKS.items() if method.facts["methods"]}
    assert {name for name in TASKS if load_task(name).learns} == learning


def test_what_is_learnt_of_a_row_is_shown():
    shown = {
        "named-entity-recognition": "person: Anna",
        "slot-filling": "stop | person: Anna",
        "question-answering": "Anna",
        "translation": WRITTEN[0],
        "text-generation": "",
    }
    for task, wanted in shown.items():
        assert load_task(task).written_answers(CASES[task][2])[0] == wanted


@pytest.mark.parametrize(
    ("text", "span", "words", "tags"),
    [
        ("met Ann.", Span(4, 7, "person"), "met Ann .", "O B-person O"),
        ("met Ann", Span(4, 7, "person"), "met Ann", "O B-person"),
        ("U.S. met Ann today", Span(9, 12, "person"), "U.S. met Ann today", "O O B-person O"),
        ("我在北京", Span(2, 4, "place"), "我 在 北 京", "O O B-place I-place"),
    ],
)
def test_words_that_are_not_set_apart_are_cut(text, span, words, tags):
    task, loaded = load_task("named-entity-recognition"), reader("named-entity-recognition")
    own = task.answered(loaded, input_frame(task, text), Prediction(0, spans=(span,)))
    assert (own["text"].iloc[0], own["tags"].iloc[0]) == (words, tags)


def test_what_a_model_said_is_written_as_what_is_learnt():
    found = Prediction(0, "go", spans=(Span(4, 7, "person"),))
    for task, wanted in [("named-entity-recognition", "person: Ann"), ("slot-filling", "go | person: Ann")]:
        assert load_task(task).written_answer(input_frame(load_task(task), "met Ann."), found) == wanted
    nothing = load_task("named-entity-recognition").written_answer(rows_of(("text", ["met"])), Prediction(0))
    assert nothing == "nothing found"
    assert load_task("translation").written_answer(rows_of(("source", ["one"])), Prediction(0, text="eins")) == "eins"


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("relation-extraction", [[1]] * 4),
        ("named-entity-recognition", [[6], [6], [3], [3]]),
        ("slot-filling", [[6, 1], [6, 1], [3, 1], [3, 1]]),
        ("question-answering", [[1]] * 4),
    ],
)
def test_what_a_loss_is_a_mean_over_is_counted(task, wanted):
    loaded, frame = reader(task), CASES[task][2]
    encodings = load_task(task).encode_learnt(loaded, frame)
    assert load_task(task).lessons(loaded, encodings).tolist() == wanted


def test_tags_and_intents_that_a_model_does_not_know_teach_nothing():
    task, loaded = load_task("slot-filling"), reader("slot-filling")
    strange = CASES["slot-filling"][2].assign(
        label="fly", tags=lambda rows: rows["tags"].str.replace("person", "thing")
    )
    lessons = task.lessons(loaded, task.encode_learnt(loaded, strange))
    assert lessons[:, 1].tolist() == [0] * 4
    assert lessons[0].tolist() == [5, 0]


def test_a_first_token_that_nothing_goes_before_is_not_learnt():
    task, loaded = load_task("text-generation"), speaker("text-generation")
    encodings = task.encode_learnt(loaded, CASES["text-generation"][2])
    assert task.lessons(loaded, encodings)[:, 0].tolist() == [len(ids) - 1 for ids in encodings.ids]
    taught = task.encode_taught(loaded, input_frame(task, "Anna told"), Prediction(0), " us")
    assert task.lessons(loaded, taught).sum() == sum(label != IGNORED for label in taught.fields["labels"][0])


def test_an_answer_that_was_found_is_what_is_taught():
    task, loaded = load_task("question-answering"), reader("question-answering")
    own = input_frame(task, CASES["question-answering"][0])
    found = Prediction(0, "answer", text="us", spans=(Span(10, 12, "answer"),))
    assert task.answered(loaded, own, found)["answers"].iloc[0] == '[{"text": "us", "start": 10}]'
    assert task.answered(loaded, own, found, "no answer")["answers"].iloc[0] == "[]"
    assert task.answered(loaded, own, Prediction(0, "no answer"))["answers"].iloc[0] == "[]"
    ends = task.encode_taught(loaded, own, found).fields
    assert np.all(np.array(ends["end_positions"]) >= np.array(ends["start_positions"]))
    assert ends["start_positions"][0] > 0
