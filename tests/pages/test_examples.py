"""The views Examples and Suites of the Analyse page."""

import pytest
import streamlit as st

from lmcore.analysis import SuiteStore, make_suite
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.models.registry import ModelRegistry
from tests.analysis.examples.test_last_layer import CASES
from tests.pages.test_analyse_tasks import keep

PAGE = "3_Analyse.py"
TEXT = "we had some bread and soup today"


def said(app):
    return "\n".join(e.value for e in app.main if isinstance(getattr(e, "value", None), str))


def words(app):
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def fine(app):
    assert not app.exception
    assert not app.error, [box.value for box in app.error]
    return app


def test_edits_that_change_the_answer_are_shown(open_app, filled):
    app = fine(open_app(PAGE, analyse_view="Examples", text=TEXT, analyse_edit_budget="120"))
    assert "The model says" in said(app)
    assert any(alt.startswith("What edits do to the probability of") for alt in words(app))
    assert "of at most 120 texts were asked" in said(app)
    if "enough to change" in said(app):
        assert ":red[~~" in said(app)


def test_only_the_chosen_edits_are_tried(open_app, filled):
    app = open_app(PAGE, analyse_view="Examples", text=TEXT)
    app = fine(app.button_group(key="analyse_edits").set_value(["deletion"]).run())
    assert f"{len(TEXT.split())} single edits were possible" in said(app)
    app = app.button_group(key="analyse_edits").set_value([]).run()
    assert [box.value for box in app.error] == ["No edit is chosen: choose one or more in the settings."]


def test_nearest_rows_lead_to_their_rows(open_app, filled):
    app = fine(open_app(PAGE, analyse_view="Examples", text=TEXT, analyse_examples="Nearest rows"))
    assert any(alt.startswith("How alike the nearest rows are") for alt in words(app))
    assert "of them have the label" in said(app)
    links = [link.proto.label for link in app.main.get("page_link")]
    assert any(label.startswith("Open row ") for label in links)


def test_a_row_is_not_its_own_neighbour(open_app, filled):
    query = {"dataset": filled.split, "row": "3", "analyse_examples": "Nearest rows"}
    app = fine(open_app(PAGE, analyse_view="Examples", **query))
    assert app.query_params["row"] == "3"
    shown = app.dataframe[0].value
    assert 4 not in shown["row"].tolist()


def test_influential_rows(open_app, filled):
    app = fine(open_app(PAGE, analyse_view="Examples", text=TEXT, analyse_examples="Influential rows"))
    assert any(alt.startswith("Rows that the answer") for alt in words(app))
    assert "from the final weights alone (one checkpoint)" in said(app)
    answers = app.selectbox(key="analyse_answer")
    assert answers.options == ["what the model says", "food", "travel", "weather"]
    app = fine(answers.set_value("weather").run())
    assert app.query_params["analyse_answer"] == "weather"
    assert "against (-) **weather** most" in said(app)


@pytest.mark.parametrize(
    ("task", "answer", "called"),
    [
        ("slot-filling", "go", "go"),
        ("question-answering", "no answer", "no answer"),
        ("text-generation", " on day 30", "on day 30"),
    ],
)
def test_influential_rows_of_other_tasks(open_app, home, task, answer, called):
    version = keep(home.workspace, task)
    stored = DatasetStore(home.workspace).save(TextDataset("rows", task, CASES[task][2]))
    app = fine(open_app(PAGE, version=version, dataset=str(stored.ref), row="0", analyse_view="Examples"))
    assert app.segmented_control(key="analyse_examples").value == "nearest"
    app = fine(app.segmented_control(key="analyse_examples").set_value("influence").run())
    assert any(alt.startswith("Rows that the answer") for alt in words(app))
    assert "among 3 rows of rows@1" in said(app)
    assert 1 not in app.dataframe[0].value["row"].tolist()
    field = app.selectbox if task == "slot-filling" else app.text_input
    app = fine(field(key="analyse_answer").set_value(answer).run())
    assert f"against (-) **{called}** most" in said(app)


@pytest.mark.parametrize(
    "text", ["🙂", "物流很慢", "<b>*bold*</b> $x$", "rain " * 600], ids=["emoji", "Chinese", "markup", "long"]
)
def test_any_text_is_taken(open_app, filled, text):
    app = open_app(PAGE, analyse_view="Examples", analyse_edit_budget="30")
    app.text_area(key="analyse_text").set_value(text).run()
    assert not app.exception
    assert len(app.error) <= 1
    if len(text) > 1000:
        assert any("only its beginning was edited" in box.value for box in app.warning)


def test_a_suite_is_made_run_and_compared(open_app, filled, home, monkeypatch):
    app = fine(open_app(PAGE, analyse_view="Suites", dataset=filled.split))
    assert any("has no suite yet" in box.value for box in app.info)
    app.text_input(key="suite_name").set_value("small")
    app.number_input(key="suite_rows").set_value(4)
    app = fine(app.button(key="suite_keep").click().run())
    assert app.selectbox(key="analyse_suite").value == "small@1"
    with monkeypatch.context() as patch:
        patch.setattr("lmcore.analysis.suites.running.run_suite", lambda *_, **__: st.stop())
        app = fine(app.button(key=f"suite_run_{filled.version}").click().run())
        app = fine(app.button(key=f"suite_run_{filled.version}_stop").click().run())
    assert "Stopped: nothing was kept." in [box.value for box in app.info]
    app = fine(app.button(key=f"suite_run_{filled.version}_again").click().run())
    assert "cases failed" in said(app)
    assert any(f"{filled.version}: Of all cases" in alt for alt in words(app))
    store = SuiteStore(home.workspace, filled.split)
    assert [run.version for run in store.runs("small@1")] == [filled.version]
    app.text_input(key="suite_name").set_value("other")
    app = fine(app.button(key="suite_keep").click().run())
    assert app.selectbox(key="analyse_suite").value == "other@1"
    again = fine(open_app(PAGE, analyse_view="Suites", dataset=filled.split, analyse_suite="small@1"))
    assert again.selectbox(key="analyse_suite").value == "small@1"
    assert "cases failed" in said(again)


def test_a_link_names_its_suite_and_one_that_names_none_leaves_the_choice(open_app, filled, home):
    store, data = SuiteStore(home.workspace, filled.split), DatasetStore(home.workspace).load(filled.split)
    link = {"analyse_view": "suites", "dataset": filled.split}
    store.save(make_suite(data, name="small", rows=1, edits=("letter_case",)))
    assert fine(open_app(PAGE, **link)).query_params["analyse_suite"] == "small@1"
    gone = fine(open_app(PAGE, analyse_suite="gone@1", **link))
    assert gone.selectbox(key="analyse_suite").value == ""
    store.save(make_suite(data, name="other", rows=1, edits=("letter_case",)))
    app = fine(open_app(PAGE, **link))
    assert [box.value for box in app.info] == ["Choose the suite that is looked at."]
    assert "analyse_suite" not in app.query_params
    app = fine(app.selectbox(key="analyse_suite").set_value("small@1").run())
    assert app.query_params["analyse_suite"] == "small@1"
    assert any(button.label == f"Run {filled.version}" for button in app.button)


def test_two_versions_are_held_against_each_other(open_app, filled, home):
    registry = ModelRegistry(home.workspace)
    known = registry.get(filled.version)
    registry.register("topics", known.folder, task="text-classification")
    app = fine(open_app(PAGE, analyse_view="Suites", dataset=filled.split, version=filled.version))
    app.number_input(key="suite_rows").set_value(3)
    app = app.button(key="suite_keep").click().run()
    app = app.button(key=f"suite_run_{filled.version}").click().run()
    app = fine(app.selectbox(key="analyse_suite_against").set_value("models:/topics/2").run())
    app = fine(app.button(key="suite_run_models:/topics/2").click().run())
    assert any("models:/topics/2 less models:/topics/1" in alt for alt in words(app))
    assert "Neither version is shown to be better" in said(app)


def test_a_name_that_cannot_be_used_is_told(open_app, filled):
    app = open_app(PAGE, analyse_view="Suites", dataset=filled.split)
    app.text_input(key="suite_name").set_value("a b/c")
    app = app.button(key="suite_keep").click().run()
    assert not app.exception
    assert "not a usable name" in app.error[0].value
