"""The trust panel beside the maps of attention, the parts of the logit and the contributions."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.pages.test_analyse import PAGE, words
from tests.pages.test_analyse_tasks import fill, keep
from tests.pages.test_stops import ATTENTION, labels, press, said

COMPARED = ("occlusion",)
BY_WORD = {"Comprehensiveness", "Sufficiency", "Agreement with other methods"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One other method is enough here."""
    settings = "lmcore.analysis.trust.faithfulness.TrustSettings.__init__"
    from lmcore.analysis.trust.faithfulness import TrustSettings

    made = TrustSettings.__init__

    def few(self, *given, **named):
        made(self, *given, **{"methods": COMPARED, "stages": 1, "edits": 1, "draws": 2, **named})

    monkeypatch.setattr(settings, few)


def checks(app: AppTest) -> set[str]:
    tables = [frame.value for frame in app.dataframe if "Check" in frame.value.columns]
    return set(tables[0]["Check"]) if tables else set()


def warnings(app: AppTest) -> str:
    return " ".join(str(box.value) for box in [*app.warning, *app.success])


@pytest.mark.parametrize(("part", "judged"), [("maps", "head"), ("flow", "flow")])
def test_the_attention_of_a_token_is_judged(open_app, filled, part, judged):
    link = {**ATTENTION, "analyse_attention_part": part, "attention_judged": judged}
    app = open_app(PAGE, version=filled.version, **link)
    assert not app.exception
    assert not app.error
    assert [box.value for box in app.subheader][-1] == "Can it be trusted?"
    assert ("It also finds some 60 flows" in said(app)) == (judged == "flow")
    app = press(app, "Measure")
    assert checks(app) >= BY_WORD | {"Likeness with random weights"}
    assert "Completeness error" not in checks(app)
    assert "it is no explanation of the answer by itself." in warnings(app)
    assert any(alt.startswith("Agreement with other methods") for alt in words(app))


def test_measuring_can_be_stopped_and_the_map_stays(open_app, filled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lmcore.analysis.trust.faithfulness.measure_faithfulness", lambda *_, **__: st.stop())
        app = press(open_app(PAGE, version=filled.version, **ATTENTION), "Measure")
        app = press(app, "Stop")
    assert words(app)[0].startswith("Where all heads look")
    assert not checks(app)
    assert checks(press(app, "Measure"))


@pytest.mark.parametrize(
    "link",
    [{"analyse_view": "Output reading"}, {**ATTENTION, "analyse_attention_part": "contributions"}],
    ids=["parts of the logit", "contributions"],
)
def test_the_parts_of_a_model_are_judged(open_app, filled, link):
    app = open_app(PAGE, version=filled.version, **{"text": "rain and bread", **link})
    calls = "some forty" if "Output reading" in link.values() else "some twenty"
    assert f"Edits the text and draws the weights of a copy anew: {calls} model calls" in said(app)
    app = press(app, "Measure")
    assert "Likeness with random weights" in checks(app)
    assert not checks(app) & BY_WORD
    assert ("Completeness error" in checks(app)) == ("Output reading" in link.values())
    assert warnings(app).startswith(("Nothing that was measured", "Read this map"))


@pytest.mark.parametrize("task", ["question-answering", "text-generation"])
def test_the_attention_of_every_task_is_judged_or_it_is_said_why_not(open_app, home, task):
    app = fill(open_app(PAGE, version=keep(home.workspace, task), analyse_view="Attention"), task)
    assert not app.exception
    assert not app.error
    if "Measure" in labels(app):
        assert "Likeness with random weights" in checks(press(app, "Measure"))
    else:
        told = " ".join(box.value for box in app.info)
        assert "What is explained is read with other tokens" in told or "nothing here that could be explained" in told
