import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lmcore.models.registry import ModelRegistry
from lmcore.serving import ServerState, server_state, start_server, stop_server
from lmcore.serving.server import write_state
from lmcore.settings import Settings, Workspace
from lmcore.training.evaluation import Evaluation, save_evaluation

PAGE = "5_Operate.py"
START_SECONDS = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A workspace with two versions of a model that is not learned; each test gets a copy."""
    place = Workspace(tmp_path_factory.mktemp("made") / "workspace")
    registry = ModelRegistry(place)
    for number in (1, 2):
        folder = place.models / "topics" / f"made{number}"
        shutil.copytree(tiny_folder, folder)
        facts = {"method": "head", "base": "config:tiny", "data": "topics@1"}
        registry.register("topics", folder, task="text-classification", facts=facts)
    evaluation = Evaluation(
        id="kept",
        version="models:/topics/1",
        data="topics@1:test",
        task="text-classification",
        metrics={"accuracy": 0.75, "f1_macro": 0.7},
        intervals={"accuracy": (0.6, 0.9), "f1_macro": (0.5, 0.9)},
        predictions=pd.DataFrame({"id": [0]}),
        tables={},
        parameters={},
    )
    save_evaluation(place, evaluation)
    return place.root


@pytest.fixture
def registered(home: Settings, made: Path) -> Iterator[Settings]:
    """The two versions; no server is left behind."""
    shutil.copytree(made, home.workspace.root)
    yield home
    stop_server(home.workspace)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label.startswith(label)).click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def run_until(app: AppTest, reached: Callable[[AppTest], bool]) -> AppTest:
    deadline = time.monotonic() + START_SECONDS
    while not reached(app):
        assert time.monotonic() < deadline, [box.value for box in (*app.info, *app.error, *app.success)]
        app.run()
    return app


def aliases(settings: Settings) -> dict[int, tuple[str, ...]]:
    return {version.version: version.aliases for version in ModelRegistry(settings.workspace).list("topics")}


def test_an_empty_workspace_says_what_to_do_first(open_app):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert any("No version is registered yet" in text.value for text in app.markdown)
    assert [link.proto.page for link in app.main.get("page_link")] == ["Train"]
    assert [box.value for box in app.info] == ["The prediction server was not started yet."]
    assert not any(label.startswith(("Start", "Stop", "Restart")) for label in labels(app))
    assert next(button for button in app.button if button.label == "Send").disabled
    assert any("Nothing was served in the last hour" in text.value for text in app.markdown)
    app.segmented_control(key="operate_range").set_value("all").run()
    assert any("Nothing was served yet" in text.value for text in app.markdown)


def test_a_version_is_promoted_and_it_can_be_undone(open_app, registered):
    app = open_app(PAGE, version="models:/topics/1")
    app = press(app, "Promote to champion")
    assert aliases(registered) == {1: ("champion",), 2: ()}
    app.selectbox(key="pick_version").set_value("models:/topics/2").run()
    app = press(app, "Promote to champion")
    assert aliases(registered) == {1: (), 2: ("champion",)}
    assert "champion" in set(app.dataframe[0].value["Alias"])
    app = press(app, "Undo: make version 1 champion again")
    assert aliases(registered) == {1: ("champion",), 2: ()}
    app.selectbox(key="pick_version").set_value("models:/topics/1").run()
    app = press(app, "Remove alias champion")
    assert aliases(registered) == {1: (), 2: ()}
    assert not app.error


def test_the_table_says_what_a_version_is(open_app, registered):
    table = open_app(PAGE).dataframe[0].value
    assert list(table["Version"]) == [2, 1]
    assert list(table["Value"].isna()) == [True, False]
    assert list(table["Measured by"]) == ["", "Macro F1"]
    assert list(table["Value"])[1] == 0.7
    assert set(table["Task"]) == {"Text classification"}
    assert set(table["Data"]) == {"topics@1"}
    assert table["Available"].all()


def test_the_champion_is_offered_first(open_app, registered):
    ModelRegistry(registered.workspace).promote("topics", 1)
    app = open_app(PAGE)
    assert app.selectbox(key="pick_version").value == "models:/topics/1"
    assert "Start with topics, version 1" in labels(app)


def test_a_server_is_started_asked_and_stopped(open_app, registered):
    app = press(open_app(PAGE, version="models:/topics/2"), "Start with topics, version 2")
    assert server_state(registered.workspace).version == "models:/topics/2"
    run_until(app, lambda a: len(a.success) > 0)
    assert "models:/topics/2" in app.success[0].value
    calls = [code.value for code in app.code if "/predict" in code.value]
    assert [call.split()[0] for call in calls] == ["curl", "import"]
    assert server_state(registered.workspace).url in calls[0]

    app.text_area(key="operate_text").set_value("the train and a ticket")
    app = press(app, "Send")
    shown = {metric.label: metric.value for metric in app.metric}
    assert app.subheader[0].value in {"weather", "food", "travel"}
    assert shown["Probability"].endswith("%")
    assert {"Requests", "Errors", "Latency p50 (ms)", "Latency p95 (ms)", "Latency p99 (ms)"} <= set(shown)
    assert shown["Requests"] == "1"
    charts = app.get("vega_lite_chart")
    assert len(charts) == 4
    assert all(chart.proto.alt for chart in charts)

    app.segmented_control(key="operate_mode").set_value("Several, one a line").run()
    app.text_area(key="operate_text").set_value("rain and snow\n\nbread and tea\n")
    app = press(app, "Send")
    answers = app.dataframe[1].value
    assert list(answers["Text"]) == ["rain and snow", "bread and tea"]
    assert answers["Probability"].between(1 / 3, 1).all()

    app.text_area(key="operate_text").set_value("  ")
    app = press(app, "Send")
    assert [box.value for box in app.error] == ["There is no text to send: write one."]

    app = press(app, "Stop")
    assert server_state(registered.workspace).state == "stopped"
    app.run()
    assert next(metric for metric in app.metric if metric.label == "Texts").value == "3"
    assert "Start with topics, version 2" in labels(app)
    assert not app.exception


def test_a_running_server_is_restarted_with_another_version(open_app, registered):
    first = start_server(registered, "models:/topics/1")
    app = press(open_app(PAGE, version="models:/topics/2"), "Restart with topics, version 2")
    second = server_state(registered.workspace)
    assert (second.version, second.state) == ("models:/topics/2", "starting")
    assert second.pid != first.pid
    assert not any(label.startswith("Restart") for label in labels(app))


@pytest.mark.fault
def test_a_killed_server_is_shown_as_died(open_app, registered):
    state = start_server(registered, "models:/topics/1")
    app = open_app(PAGE)
    assert "Stop" in labels(app)
    os.kill(state.pid, signal.SIGKILL)
    run_until(app, lambda a: len(a.error) > 0)
    assert "ended without being stopped" in app.error[0].value
    assert any(label.startswith("Start with topics") for label in labels(app))
    assert "Stop" not in labels(app)


def test_a_server_that_could_not_start_says_why(open_app, registered):
    reason = "The weights of models:/topics/1 cannot be read: train it again."
    write_state(registered.workspace, ServerState("failed", version="models:/topics/1", message=reason))
    app = open_app(PAGE)
    assert [box.value for box in app.error] == [reason]
    assert any(label.startswith("Start with topics") for label in labels(app))


def test_a_version_whose_files_are_gone_cannot_be_started(open_app, registered):
    shutil.rmtree(registered.workspace.models / "topics" / "made2")
    app = open_app(PAGE, version="models:/topics/2")
    assert "train it again" in app.warning[0].value
    assert next(button for button in app.button if button.label.startswith("Start with")).disabled


def test_a_link_opens_its_version(open_app, registered):
    app = open_app(PAGE, version="models:/topics/1")
    assert app.selectbox(key="pick_version").value == "models:/topics/1"
    assert not app.warning


def test_a_link_to_a_version_that_is_not_there_says_so(open_app, registered):
    app = open_app(PAGE, version="models:/topics/9")
    assert "models:/topics/9" in app.warning[0].value
    assert app.selectbox(key="pick_version").value == "models:/topics/2"
    assert not app.exception


def test_a_server_with_a_key_is_asked_with_the_key(open_app, registered, monkeypatch):
    monkeypatch.setenv("LMSCOPE_API_KEY_SHA256", hashlib.sha256(b"open sesame").hexdigest())
    app = press(open_app(PAGE), "Start with")
    run_until(app, lambda a: len(a.success) > 0)
    assert any("Authorization" in code.value for code in app.code)
    app = press(app, "Send")
    assert "key is missing or wrong" in app.error[0].value
    app.text_input(key="operate_api_key").set_value("open sesame")
    app = press(app, "Send")
    assert not app.error
    assert app.subheader[0].value in {"weather", "food", "travel"}
    kept = (registered.workspace.serving / "server.json").read_text()
    assert "open sesame" not in json.dumps(json.loads(kept))
