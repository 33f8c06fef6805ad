"""The prediction server is killed: what it answered is kept, its state is told truthfully, and it starts again."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lmcore.errors import ServerError
from lmcore.jobs.process import ProcessId
from lmcore.models.registry import ModelRegistry
from lmcore.serving import read_stats, send, server_state, start_server, stop_server
from lmcore.serving.server import write_state
from tests.serving.starting import until_started

pytestmark = pytest.mark.fault
SECONDS = 60


@pytest.fixture
def champion(tiny_folder, settings):
    folder = settings.workspace.models / "topics" / "first"
    shutil.copytree(tiny_folder, folder)
    registry = ModelRegistry(settings.workspace)
    registry.register("topics", folder, task="text-classification")
    yield registry.promote("topics", 1)
    stop_server(settings.workspace)


def start(settings):
    start_server(settings, "models:/topics@champion", port=0)
    state = until_started(settings.workspace)
    assert state.state == "running", Path(state.log).read_text()
    return state


def wait_for_end(state):
    deadline = time.monotonic() + SECONDS
    while ProcessId(state.pid, state.started).alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_while_it_answers(champion, settings, workspace):
    first = start(settings)
    answered, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                answered.append(len(send(workspace, ["rain today", "some soup"])["predictions"]))
            except ServerError:
                return

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + SECONDS
    while len(answered) < 40:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    wait_for_end(first)
    stop.set()
    for caller in callers:
        caller.join(SECONDS)

    state = server_state(workspace)
    assert (state.state, state.version) == ("died", "models:/topics/1")
    assert "ended without being stopped: start it again" in state.message
    with pytest.raises(ServerError, match=r"not running \(died\)"):
        send(workspace, ["rain"])
    kept = read_stats(workspace)
    assert kept.requests >= len(answered)
    assert kept.texts == 2 * kept.requests

    again = start(settings)
    assert (again.version, again.pid != first.pid) == (first.version, True)
    assert len(send(workspace, ["rain"])["predictions"]) == 1
    assert read_stats(workspace).requests == kept.requests + 1


def test_it_outlives_the_process_that_started_it(champion, settings, workspace):
    code = (
        "import os, sys; from pathlib import Path; from lmcore.settings import Settings, Workspace;"
        "from lmcore.serving import start_server;"
        "start_server(Settings(Workspace(Path(sys.argv[1])), device='cpu'), 'models:/topics@champion', port=0);"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.root)], timeout=SECONDS, check=False)
    assert done.returncode == -9
    state = until_started(workspace)
    assert state.state == "running"
    assert len(send(workspace, ["rain"])["predictions"]) == 1
    stop_server(workspace)
    wait_for_end(state)


def test_a_server_that_hangs_is_told_and_killed(champion, settings, workspace, monkeypatch):
    monkeypatch.setattr("lmcore.serving.server.STOP_SECONDS", 0.5)
    state = start(settings)
    os.kill(state.pid, signal.SIGSTOP)
    with pytest.raises(ServerError, match=r"did not answer within 0\.3 seconds"):
        send(workspace, ["rain"], timeout=0.3)
    assert stop_server(workspace).state == "stopped"
    wait_for_end(state)


def test_a_number_used_again_is_not_taken_for_the_server(champion, settings, workspace):
    state = start(settings)
    stop_server(workspace)
    write_state(workspace, replace(state, pid=os.getpid()))
    assert server_state(workspace).state == "died"
    assert stop_server(workspace).state == "stopped"
