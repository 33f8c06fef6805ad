"""The Why view asks the running server: a real one, started here."""

import hashlib

import pytest

from lmcore.analysis.recipes import Stored, compare_frames, follow
from lmcore.charts.report import read_report
from lmcore.models import load_model
from lmcore.serving import start_server, stop_server
from tests.pages.test_analyse import PAGE, said, shown, words
from tests.serving.starting import until_started

TEXT = "we had some bread and soup today"
KEY = "open sesame"
SECONDS = 120


@pytest.fixture
def served(home, filled, monkeypatch):
    """The version that the running server asks a key for."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    monkeypatch.setenv("LMSCOPE_API_KEY_SHA256", digest)
    version = str(filled.version)
    start_server(home, version, port=0, api_key_sha256=digest)
    state = until_started(home.workspace, SECONDS)
    assert state.state == "running", state
    yield state.version
    stop_server(home.workspace)


def press(app, label):
    return next(button for button in app.button if button.label == label).click().run()


def test_the_running_server_is_explained_and_the_link_carries_it(open_app, served, home, pages):
    link = {"version": served, "text": TEXT, "analyse_asked": "server", "served_method": "Leave one out"}
    app = open_app(PAGE, **link)
    assert any("asks for a key" in box.value for box in app.info)
    app.text_input(key="served_api_key").set_value("wrong").run()
    assert [box.value for box in app.error] == ["The key is missing or wrong: send it as Authorization: Bearer <key>."]
    app.text_input(key="served_api_key").set_value(KEY).run()
    assert "the running server" in said(app)
    assert "asks the server about up to" in said(app)
    assert not any(alt.startswith("What speaks for") for alt in words(app))
    app = press(app, "Explain")
    assert not app.exception
    assert not app.error
    assert any(alt.startswith("What speaks for") for alt in words(app))
    assert shown(app)["Completeness error"] == "none promised"
    read = read_report(pages["served_attribution"]().decode())
    again = follow(read.recipe, load_model(served, settings=home), Stored.of(home))
    assert compare_frames(read.frame, again).same
    app = press(app, "Measure")
    assert not app.exception
    assert any(alt.startswith("Agreement with other methods") for alt in words(app))
    assert not any(alt.startswith("Likeness with maps of random weights") for alt in words(app))
    kept = {**dict(app.query_params), "log": (home.workspace.serving / "server.log").read_text()}
    assert KEY not in str(kept)
    stop_server(home.workspace)
    gone = open_app(PAGE, **link)
    assert any("does not run with" in box.value for box in gone.info)
    assert not gone.error
