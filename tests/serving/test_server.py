import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lmcore.errors import InputError, ServerError, StorageError, UnknownError
from lmcore.jobs.process import ProcessId
from lmcore.serving import read_stats, send, server, server_state, start_server, stop_server
from lmcore.serving.launch import create_app
from tests.serving.starting import until_started


@pytest.fixture
def stopped_after(workspace):
    yield
    stop_server(workspace)


def test_before_the_first_start(workspace):
    state = server_state(workspace)
    assert (state.state, state.pid) == ("stopped", 0)
    assert "not started yet" in state.message
    assert stop_server(workspace) == state
    with pytest.raises(ServerError, match=r"not running \(stopped\): start it first"):
        send(workspace, ["rain"])
    assert not workspace.root.exists()


def test_the_whole_life(champion, settings, workspace, stopped_after):
    starting = start_server(settings, "models:/topics@champion", port=0)
    assert (starting.state, starting.version) == ("starting", "models:/topics/1")
    with pytest.raises(ServerError, match=r"runs already at .* with models:/topics/1: stop it first"):
        start_server(settings, "models:/topics/1")
    running = until_started(workspace)
    assert running.state == "running", (running, Path(running.log).read_text())
    assert (running.version, running.url) == ("models:/topics/1", f"http://127.0.0.1:{running.port}")
    assert ProcessId(running.pid, running.started).alive()
    assert os.getsid(running.pid) == running.pid != os.getsid(0)
    answer = send(workspace, ["rain and storm", "a ticket"])
    assert [entry["version"] for entry in answer["predictions"]] == ["models:/topics/1"] * 2
    with pytest.raises(ServerError, match="Text 1 is empty"):
        send(workspace, [""])
    os.kill(running.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerError, match=r"did not answer within 0\.2 seconds: see .*server\.log"):
            send(workspace, ["rain"], timeout=0.2)
    finally:
        os.kill(running.pid, signal.SIGCONT)
    stopped = stop_server(workspace)
    assert (stopped.state, server_state(workspace).state) == ("stopped", "stopped")
    assert not ProcessId(running.pid, running.started).alive()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", running.port)) != 0
    assert read_stats(workspace).texts >= 2
    assert "Traceback" not in Path(running.log).read_text()


def test_a_server_that_asks_for_a_key(champion, settings, workspace, stopped_after):
    digest = "f3c1e5ac5ff4a90d9ec6b1ba5bbd5a4ed1ba0be0e0cdb6b5f4bbf8bcbf2ad1c1"
    start_server(settings, champion.ref, port=0, api_key_sha256=digest)
    assert until_started(workspace).state == "running"
    with pytest.raises(ServerError, match="key is missing or wrong"):
        send(workspace, ["rain"])
    command = Path(f"/proc/{server_state(workspace).pid}/cmdline").read_bytes()
    assert digest.encode() not in command


def test_a_taken_port(champion, settings, monkeypatch):
    launched = []
    monkeypatch.setattr(server, "_launch", lambda s, v, listener, key: launched.append(listener.getsockname()[1]))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"Port {taken} is taken by another program: give another one"):
            start_server(settings, champion.ref, port=taken)
        start_server(replace(settings, server_port=taken), champion.ref)
        monkeypatch.setattr(server, "PORTS_TRIED", 1)
        with pytest.raises(ServerError, match=f"Port {taken} is taken by another program: set LMSCOPE_SERVER_PORT"):
            start_server(replace(settings, server_port=taken), champion.ref)
    assert len(launched) == 1
    assert taken < launched[0] < taken + 50


def test_models_that_cannot_be_served(champion, settings, tiny_folder):
    with pytest.raises(UnknownError, match="known: 1, champion"):
        start_server(settings, "models:/topics@challenger")
    with pytest.raises(InputError, match="has no trained head"):
        start_server(settings, f"folder:{tiny_folder}")
    assert server_state(settings.workspace).state == "stopped"


def test_a_model_that_does_not_load_fails_with_its_sentence(champion, settings, workspace):
    (champion.folder / "model.safetensors").write_bytes(b"damaged")
    start_server(settings, champion.ref, port=0)
    state = until_started(workspace)
    assert state.state == "failed"
    assert "cannot be loaded" in state.message
    with pytest.raises(ServerError, match=r"not running \(failed\)"):
        send(workspace, ["rain"])


def test_stopping_while_it_loads(champion, settings, workspace):
    state = start_server(settings, champion.ref, port=0)
    assert stop_server(workspace).state == server_state(workspace).state == "stopped"
    assert not ProcessId(state.pid, state.started).alive()


def test_nothing_starts_while_a_server_is_being_stopped(settings, workspace, monkeypatch):
    refused = []

    def start_meanwhile(workspace, state):
        with pytest.raises(ServerError, match="starts or stops the prediction server in this moment: wait for it"):
            start_server(settings, "models:/topics/1", port=0)
        refused.append(state.state)

    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as process:
        started = psutil.Process(process.pid).create_time()
        server.write_state(workspace, server.ServerState("running", pid=process.pid, started=started))
        monkeypatch.setattr(server, "write_state", start_meanwhile)
        stop_server(workspace)
    assert (refused, process.returncode) == (["stopped"], -signal.SIGTERM)


def test_a_damaged_state_file_is_one_sentence(workspace):
    workspace.folder(workspace.serving)
    (workspace.serving / "server.json").write_text("{")
    with pytest.raises(StorageError, match="delete it and start the server again"):
        server_state(workspace)


def test_the_environment_names_the_model(champion, workspace, monkeypatch):
    monkeypatch.setenv("LMSCOPE_HOME", str(workspace.root))
    monkeypatch.delenv("LMSCOPE_SERVE_MODEL", raising=False)
    with pytest.raises(InputError, match="LMSCOPE_SERVE_MODEL is not set"):
        create_app()
    monkeypatch.setenv("LMSCOPE_SERVE_MODEL", "models:/topics@champion")
    assert "/predict" in create_app().openapi()["paths"]


def test_naming_the_server_imports_nothing_heavy():
    code = (
        "import sys; from lmcore.serving import server_state, start_server, read_stats, send;"
        "print([m for m in ('torch', 'transformers', 'fastapi', 'mlflow', 'pandas', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
