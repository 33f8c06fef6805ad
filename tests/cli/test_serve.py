"""``lmcore serve``."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial

import pytest

from lmcore.serving import server
from lmcore.serving.client import send
from lmcore.serving.server import ServerState, server_state, stop_server
from lmcore.settings import Workspace

COMMAND = [sys.executable, "-c", "from lmcore.cli import main; main(prog_name='lmcore')"]


@pytest.fixture
def server_home(trained_home):
    yield trained_home
    stop_server(Workspace(trained_home))


@pytest.fixture
def pretend(monkeypatch):
    """Let the server go through given states without a process."""

    def begin(*states):
        seen = [ServerState(state, "models:/x/1", 8600, "http://h:8600", message=f"It is {state}.") for state in states]
        stopped = []
        monkeypatch.setattr(server, "start_server", lambda settings, ref, port: seen[0])
        monkeypatch.setattr(server, "server_state", lambda workspace: seen.pop(0) if len(seen) > 1 else seen[0])
        monkeypatch.setattr(server, "stop_server", lambda workspace: stopped.append(workspace) or seen[0])
        return stopped

    return begin


def test_in_the_foreground_until_it_is_interrupted(ask, run, refused, server_home):
    command = [*COMMAND, "--home", str(server_home), "serve", "models:/topics@champion", "--json"]
    # Where the tests themselves run in a shell's background, an ignored Ctrl-C would be inherited.
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, preexec_fn=heeded) as process, ExitStack() as undo:
        undo.callback(process.kill)  # else a test that fails would wait for it
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        assert json.loads("".join(lines))["version"] == "models:/topics/1"
        send(Workspace(server_home), ["some bread and tea"])
        status = ask("serve", "--status", home=server_home)
        assert (status["server"]["state"], status["requests"], status["errors"]) == ("running", 1, 0)
        assert "has answered 1 request" in run("serve", "--status", home=server_home).stdout
        assert "runs already" in refused("serve", "models:/topics@champion", home=server_home)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest, said) == (130, "", "")
    assert server_state(Workspace(server_home)).state == "stopped"
    assert run("serve", "--stop", home=server_home).stdout == "The prediction server is stopped.\n"


def test_in_the_background_it_returns_once_it_answers(ask, run, pretend):
    stopped = pretend("starting", "starting", "running")
    assert ask("serve", "models:/x/1", "--background")["state"] == "running"
    pretend("starting", "running")
    shown = run("serve", "models:/x/1", "--background").stdout
    assert "http://h:8600/predict" in shown
    assert "lmcore serve --stop" in shown
    assert stopped == []


def test_a_server_that_cannot_start(refused, pretend):
    pretend("starting", "failed")
    assert refused("serve", "models:/x/1") == "It is failed."


def test_a_server_that_takes_too_long_is_stopped(refused, pretend, monkeypatch):
    monkeypatch.setattr("lmcore.cli.serve.START_SECONDS", 0.0)
    stopped = pretend("starting")
    assert "did not answer within 0 seconds" in refused("serve", "models:/x/1")
    assert len(stopped) == 2


def test_a_start_that_is_interrupted_is_stopped(run, pretend, monkeypatch):
    stopped = pretend("starting")

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("lmcore.cli.serve.time.sleep", interrupt)
    assert run("serve", "models:/x/1").exit_code == 130
    assert len(stopped) == 1


@pytest.mark.parametrize(("state", "code", "said"), [("stopped", 0, "It is stopped."), ("died", 2, "It is died.")])
def test_a_foreground_server_that_ends_by_itself(run, pretend, state, code, said):
    pretend("starting", "running", "running", state)
    result = run("serve", "models:/x/1")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (code, said)
    assert "Ctrl-C stops it." in result.stdout


def test_before_the_first_start(ask):
    found = ask("serve", "--status")
    assert (found["server"]["state"], found["requests"]) == ("stopped", 0)


@pytest.mark.parametrize("arguments", [(), ("models:/topics/1", "--stop"), ("--status", "--stop")])
def test_one_thing_at_a_time(run, arguments):
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert "Give one of VERSION, --status and --stop." in result.stderr


def test_what_cannot_be_served(refused, trained_home, tiny_folder):
    assert "There is no model 'nosuch'" in refused("serve", "nosuch", home=trained_home)
    assert "has no trained head" in refused("serve", f"folder:{tiny_folder}", home=trained_home)
