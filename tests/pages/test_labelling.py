"""The labelling view of the Data page."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lmcore.audit import AuditLog
from lmcore.data.dataset import TextDataset
from lmcore.data.label_store import LabelStore
from lmcore.data.load import load_dataset
from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard
from lmcore.models.registry import ModelRegistry
from lmcore.training.ranking import DISAGREEMENT, RANKING, Ranking, ensure_ranking, ranking_id, save_ranking
from lmcore.types import DatasetRef

PAGE = "1_Data.py"
SECONDS = 60


def said(app: AppTest) -> str:
    return "\n".join(e.value for e in (*app.main.markdown, *app.main.caption, *app.info, *app.success))


def progress(app: AppTest) -> str:
    return str(app.main.get("progress")[0].proto.text)


def keys(app: AppTest) -> dict[str, str]:
    """The buttons by the key that presses them."""
    return {button.proto.shortcut: button.label for button in app.button if button.proto.shortcut}


def press(app: AppTest, key: str) -> AppTest:
    app = app.button(key=key).click().run()
    assert not app.exception
    assert not app.error
    return app


def row_shown(app: AppTest) -> int:
    return int(next(c.value for c in app.main.caption if c.value.startswith("Row ")).split()[1])


@pytest.fixture
def opened(open_app, home):
    """Opens the view for somebody on a data set that is stored."""

    def opened(data: TextDataset, author: str = "ann", **query: str) -> AppTest:
        ref = DatasetStore(home.workspace).save(data).ref
        app = open_app(PAGE, data_view="Label", dataset=str(ref), label_author=author, **query)
        assert not app.exception
        assert not app.error
        return app

    return opened


@pytest.fixture
def texts():
    frame = pd.DataFrame(
        {
            "id": range(6),
            "text": ["tea one", "rain two", "tea three", "*rain* four", "tea five", "a"],
            "label": ["tea", "rain", "", "", "", ""],
        }
    )
    return TextDataset("texts", "text-classification", frame)


@pytest.fixture
def labels(home):
    """What is on disk: row, author and cells."""

    def labels(name: str = "texts") -> list[SimpleNamespace]:
        store = LabelStore(home.workspace, DatasetRef(name, 1))
        return [(g.row, g.author, None if g.cells is None else dict(g.cells)) for g in store.labels()]

    return labels


def test_a_name_is_asked_for_first(opened, texts, labels):
    app = opened(texts, author="")
    assert "Write your name to begin." in said(app)
    assert not app.main.get("progress")
    app = app.text_input(key="label_author").set_value("ann").run()
    assert progress(app) == "0 of 4 labelled"
    assert labels() == []


def test_classes_are_given_by_keys_and_survive_a_reload(opened, texts, labels):
    app = opened(texts)
    assert {"1": "rain", "2": "tea", "s": "Skip", "u": "Undo", "b": "Back"}.items() <= keys(app).items()
    assert row_shown(app) == 3
    app = press(app, "label_choice_label_1")
    assert labels() == [(2, "ann", {"label": "tea"})]
    assert "\\*rain\\* four" in said(app), "a text is shown as it is"
    app = press(app, "label_skip")
    assert progress(app) == "1 of 4 labelled, 1 skipped by you"
    assert row_shown(opened(texts)) == 5, "another session goes on where this one was"
    app.text_input(key="label_new_label_class").set_value("  new one ").run()
    app = press(app, "label_new_label_class_take")
    assert labels()[-1] == (4, "ann", {"label": "new one"})
    assert keys(app)["1"] == "new one"
    assert row_shown(app) == 6


def test_undo_back_and_forward(opened, texts, labels):
    app = opened(texts)
    assert app.button(key="label_undo").disabled
    assert app.button(key="label_back").disabled
    for _ in range(2):
        app = press(app, "label_choice_label_0")
    assert row_shown(app) == 5
    app = press(app, "label_back")
    assert row_shown(app) == 4
    app = press(app, "label_back")
    assert (row_shown(app), app.button(key="label_back").disabled) == (3, True)
    assert app.button(key="label_save").label == "Right as it is"
    app = press(app, "label_choice_label_1")
    assert labels() == [(3, "ann", {"label": "rain"}), (2, "ann", {"label": "tea"})]
    assert row_shown(app) == 5
    app = press(app, "label_back")
    app = press(app, "label_forward")
    assert row_shown(app) == 5
    app = press(app, "label_undo")
    assert row_shown(app) == 3
    assert labels() == [(2, "ann", {"label": "rain"}), (3, "ann", {"label": "rain"})]
    assert progress(app) == "2 of 4 labelled", "what was said before the last word counts again"


def test_the_end_of_a_queue_and_the_skipped_rows(opened, texts, labels):
    app = opened(texts)
    for key in ("label_choice_label_0", "label_skip", "label_choice_label_0", "label_choice_label_0"):
        app = press(app, key)
    assert "Nothing is left but 1 row that you skipped." in said(app)
    app = press(app, "label_unskip")
    assert row_shown(app) == 4
    app = press(app, "label_choice_label_0")
    assert "This queue is labelled: 4 rows." in said(app)
    app = press(app, "label_undo")
    assert row_shown(app) == 4


def test_labels_that_are_there_are_checked(opened, texts, labels):
    app = opened(texts, label_rows="all")
    assert row_shown(app) == 1
    assert "now: tea" in said(app)
    assert keys(app)["enter"] == "Right as it is"
    app = press(app, "label_save")
    assert labels() == [(0, "ann", {"label": "tea"})]
    full = texts.derive(texts.frame.head(2))
    assert progress(opened(full)) == "0 of 2 labelled", "where nothing is unlabelled all rows are asked"
    app = opened(full, label_rows="Without a label")
    app.segmented_control(key="label_rows").set_value("unlabelled").run()
    assert "Every row has a label: choose All rows to check them." in said(app)


def test_two_people_share_the_rows(opened, texts, labels, home):
    ann, bo = opened(texts), opened(texts, author="bo")
    assert (row_shown(ann), row_shown(bo)) == (3, 4), "each is shown another row"
    ann = press(ann, "label_choice_label_0")
    bo = press(bo, "label_choice_label_1")
    ann.run()
    assert progress(ann) == "2 of 4 labelled"
    assert "Labels so far: ann 1, bo 1." in said(ann)
    bo = bo.checkbox(key="label_again").check().run()
    assert (row_shown(bo), progress(bo)) == (3, "1 of 4 labelled")
    bo = press(bo, "label_choice_label_1")
    assert "Several people labelled 1 row, and agree on 0." in said(bo)
    bo = bo.checkbox(key="label_stay").check().run()
    bo = press(bo, "label_keep")
    (entry,) = AuditLog(home.workspace).find(action="label")
    assert (entry.via, entry.object, entry.details["authors"]) == ("page", "texts@2", "ann 1, bo 2")
    kept = DatasetStore(home.workspace).load("texts@2")
    assert kept.operation["authors"] == {"ann": 1, "bo": 2}
    assert kept.operation["unsettled"] == 1
    assert kept.frame["label"].tolist() == ["tea", "rain", "", "tea", "", ""]
    assert bo.query_params["dataset"] == "texts@2"
    bo = bo.segmented_control(key="data_view").set_value("history").run()
    assert any(c.value.startswith("label by ann 1, bo 2 · 6 rows") for c in bo.main.caption)
    ann.run()
    assert "Kept before as texts@2: ann 1, bo 2." in said(ann)


def test_rows_that_others_look_at_are_not_asked(opened, texts, home):
    one = texts.derive(texts.frame.iloc[[0, 1, 2]])
    assert row_shown(opened(one)) == 3
    assert "Others are looking at the rows that are left." in said(opened(one, author="bo"))


def test_stretches_are_marked_by_keys(opened, labels):
    frame = pd.DataFrame({"id": [0, 1], "text": ["周 明 在 北 京", "在 天 津"], "tags": ["", "O B-地点 I-地点"]})
    app = opened(TextDataset("names", "named-entity-recognition", frame))
    assert "Nothing is marked." in said(app)
    words = app.button_group(key="label_words_names@1_ann_0")
    assert words.options == ["周", "明", "在", "北", "京"]
    assert {"left", "right", "shift+left", "shift+right", "delete", "enter", "1"} <= keys(app).keys()
    for move in ("On a word", "Longer"):
        app = press(app, f"label_move_{move}")
    assert app.button_group(key="label_words_names@1_ann_0").value == [0, 1]
    app.text_input(key="label_new_tags_type").set_value("人 名").run()
    app = press(app, "label_new_tags_type_take")
    app.button_group(key="label_words_names@1_ann_0").set_value([3, 4]).run()
    app = press(app, "label_choice_tags_0")
    assert "Marked: 人\\-名\\: 周明; 地点\\: 北京" in said(app)
    app.button_group(key="label_words_names@1_ann_0").set_value([0]).run()
    app = press(app, "label_mark")
    assert "Marked: 地点\\: 北京" in said(app)
    app = press(app, "label_save")
    assert labels("names") == [(0, "ann", {"tags": "O O O B-地点 I-地点"})]


def test_slots_take_their_marks_and_the_intent_together(opened, labels):
    frame = pd.DataFrame({"id": [0, 1], "text": ["play moon", "call ann"], "tags": ["", "O B-who"],
                          "label": ["", "call"]})  # fmt: skip
    app = opened(TextDataset("slots", "slot-filling", frame))
    assert (keys(app)["1"], keys(app)["2"]) == ("who", "call")
    app.button(key="label_save").click().run()
    assert "The label of row 1 cannot be used: give tags and label" in app.error[0].value
    assert labels("slots") == []
    app.text_input(key="label_new_label_class").set_value("music").run()
    app = press(app, "label_new_label_class_take")
    app = press(app, "label_save")
    assert labels("slots") == [(0, "ann", {"tags": "O O", "label": "music"})]


def test_any_number_of_labels(opened, labels):
    frame = pd.DataFrame({"id": [0, 1, 2], "text": ["a", "b", "c"], "label": ["x|y", "", ""]})
    app = opened(TextDataset("sets", "multi-label-classification", frame))
    for key in ("label_choice_label_0", "label_choice_label_1", "label_choice_label_0", "label_save"):
        app = press(app, key)
    app = press(app, "label_save")
    assert labels("sets") == [(1, "ann", {"label": "y"}), (2, "ann", {"label": "-"})]


def test_an_answer_is_picked_in_its_context(opened, labels):
    frame = pd.DataFrame({"id": [0, 1], "question": ["Where?", "Who?"], "context": ["In New York.", "Nobody knows."],
                          "answers": ["", ""]})  # fmt: skip
    app = opened(TextDataset("asked", "question-answering", frame))
    app.button_group(key="label_words_asked@1_ann_0").set_value([1, 2]).run()
    app = press(app, "label_save")
    app = press(app, "label_save")
    assert labels("asked") == [
        (0, "ann", {"answers": '[{"text": "New York", "start": 3}]'}),
        (1, "ann", {"answers": "[]"}),
    ]


def test_a_task_that_writes_has_nothing_to_label(opened):
    app = opened(load_dataset("sample:kitchen-en", task="text-generation"))
    assert "Text generation has no classes, tags or answers to label by hand." in said(app)


def test_rows_come_in_the_order_of_a_versions_doubt(open_app, filled, home):
    app = open_app(PAGE, data_view="Label", dataset=filled.raw, label_author="ann", label_order="Smallest margin")
    assert not app.exception
    assert "The version has not read these rows yet: until then, they come as in the file" in said(app)
    app = press(app, "label_rank")
    (job,) = JobBoard(home.workspace, grace_seconds=0.1).list(kind="rank")
    JobBoard(home.workspace, grace_seconds=0.1).cancel(job.id)
    assert (job.target, job.config) == (RANKING, {"version": filled.version, "other": "", "data": filled.raw})
    data = DatasetStore(home.workspace).load(filled.raw)
    ranking = ensure_ranking(filled.version, data, settings=home)
    app = open_app(PAGE, data_view="Label", dataset=filled.raw, label_author="ann", label_order="Smallest margin")
    assert row_shown(app) == ranking.order("margin")[0] + 1
    version = filled.version
    answer = ranking.said(ranking.order("margin")[0])[version]["label"]
    assert f"models\\:/topics/1: **{answer}**" in said(app)
    app = press(app, f"label_take_{version}")
    app = press(app, "label_save")
    (given,) = LabelStore(home.workspace, DatasetRef.parse(filled.raw)).labels()
    assert given.cells == {"label": answer}


@pytest.fixture
def rival(filled, home):
    """A second version of the data set's task."""
    registry = ModelRegistry(home.workspace)
    return str(registry.register("topics", registry.get(filled.version).folder, task="text-classification").ref)


def test_rows_come_in_the_order_in_which_two_versions_disagree(open_app, filled, rival, home):
    link = {"data_view": "Label", "dataset": filled.raw, "label_author": "ann", "label_order": "disagreement"}
    link |= {"label_version": rival, "label_other": filled.version}
    app = open_app(PAGE, **link)
    assert not app.exception
    assert "The versions have not both read these rows yet: until then, they come as in the file" in said(app)
    app = press(app, "label_rank")
    board = JobBoard(home.workspace, grace_seconds=0.1)
    (job,) = board.list(kind="rank")
    board.cancel(job.id)
    assert job.config == {"version": rival, "other": filled.version, "data": filled.raw}
    ids = DatasetStore(home.workspace).load(filled.raw).frame["id"].astype(int)
    cells, other = ([json.dumps({"label": label})] * len(ids) for label in ("food", "sport"))
    values = {"id": ids, "cells": cells, "other_cells": other, DISAGREEMENT: (ids % 7 == 5) * 0.25 + (ids == 40) * 0.5}
    identifier = ranking_id(rival, filled.raw, filled.version)
    save_ranking(home.workspace, Ranking(identifier, rival, filled.version, filled.raw, pd.DataFrame(values)))
    app = open_app(PAGE, **link)
    assert row_shown(app) == 41, "that on which they are farthest apart"
    assert "models\\:/topics/2: **food**" in said(app)
    assert "models\\:/topics/1: **sport**" in said(app)
    assert "Two versions disagree: 0.75 (0 to 1)" in said(app)
    assert app.query_params["label_other"] == filled.version
    app = press(press(app, f"label_take_{filled.version}"), "label_save")
    (given,) = LabelStore(home.workspace, DatasetRef.parse(filled.raw)).labels()
    assert (given.row, given.cells) == (40, {"label": "sport"})
    assert row_shown(app) == 6, "then the next, equal ones in the order of the file"


def test_one_version_alone_disagrees_with_nobody(open_app, filled):
    app = open_app(PAGE, data_view="Label", dataset=filled.raw, label_author="ann", label_order="disagreement")
    assert not app.exception
    assert "Two versions disagree" not in app.selectbox(key="label_order").options
    assert app.selectbox(key="label_order").value == "file"


def test_an_upload_without_labels_is_brought_in(open_app, home):
    app = open_app(PAGE)
    app = app.segmented_control(key="data_source").set_value("Upload").run()
    app = (
        app.file_uploader[0].upload("notes.csv", b"text,channel\nThe tea was warm today.,mail\nIt rained.,app\n").run()
    )
    assert "The rows have no label yet: give them in the view Label." in said(app)
    app = next(b for b in app.button if b.label == "Bring it in").click().run()
    assert not app.exception
    assert DatasetStore(home.workspace).load("notes@1").frame["label"].tolist() == ["", ""]
    app = app.segmented_control(key="data_view").set_value("label").run()
    app = app.text_input(key="label_author").set_value("ann").run()
    assert progress(app) == "0 of 2 labelled"
