from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmcore.jobs import JobBoard
from lmcore.jobs.selftest import TARGET
from lmcore.ui.page import HOME, STAGES

ROOT = Path(__file__).parents[2] / "Home.py"


@pytest.fixture
def place(workspace, monkeypatch):
    monkeypatch.setenv("LMSCOPE_HOME", str(workspace.root))
    return workspace


def test_every_stage_is_a_page_that_the_navigation_leads_to(place):
    app = AppTest.from_file(ROOT, default_timeout=30).run()
    names = [link.proto.label for link in app.sidebar.get("page_link")]
    assert names == ["LMScope", *(stage.title for stage in STAGES)]
    assert HOME.file == ROOT.name
    captions = [caption.value for caption in app.sidebar.caption]
    assert "No job is running." in captions
    assert f"Workspace: {place.root}" in captions


def test_the_navigation_shows_what_runs(place):
    board = JobBoard(place, grace_seconds=0.1)
    job = board.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Count far", kind="check")
    app = AppTest.from_file(ROOT, default_timeout=30).run()
    assert "Count far: running" in [bar.proto.text for bar in app.sidebar.get("progress")]
    board.cancel(job.id)
    board.wait(job.id, 30)


def test_an_error_of_lmscope_is_one_sentence_and_any_other_is_not_hidden():
    def page() -> None:
        import streamlit as st

        from lmcore.errors import DataError
        from lmcore.ui.page import empty_state, shown_errors

        with shown_errors():
            raise DataError("The file has no rows: take another.")
        empty_state("Nothing here.")
        with shown_errors():
            raise ZeroDivisionError("a bug")
        st.text("never")

    app = AppTest.from_function(page).run()
    assert [box.value for box in app.error] == ["The file has no rows: take another."]
    assert "Nothing here." in app.markdown[0].value
    assert len(app.exception) == 1
