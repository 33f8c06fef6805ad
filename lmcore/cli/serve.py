"""``lmcore serve``: the prediction server of a workspace."""

import signal
import time
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import INTERRUPTED, AnswerCommand, Session, refuse
from lmcore.cli.output import Answer
from lmcore.errors import ServerError
from lmcore.types import count_of

if TYPE_CHECKING:
    from lmcore.serving.server import ServerState

START_SECONDS = 180.0
_POLL_SECONDS = 0.1


@click.command(
    "serve",
    cls=AnswerCommand,
    short_help="Start, watch and stop the prediction server.",
    epilog="Example: lmcore serve models:/feedback-en@champion --port 8600",
)
@click.argument("version", required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this machine.  [default: the next free from 8600]")
@click.option("--background", is_flag=True, help="Return once it answers; it runs on until lmcore serve --stop.")
@click.option("--status", is_flag=True, help="Say how the server is and what it has answered.")
@click.option("--stop", is_flag=True, help="Stop the server.")
@click.pass_obj
def serve_command(
    session: Session, version: str | None, port: int | None, background: bool, status: bool, stop: bool
) -> Answer:
    """Answer POST /predict with VERSION (models:/NAME@ALIAS) until Ctrl-C."""
    if (version is not None) + status + stop != 1:
        refuse("Give one of VERSION, --status and --stop.")
    if status:
        return _status(session)
    if stop:
        from lmcore.serving.server import stop_server

        state = stop_server(session.settings.workspace)
        return Answer(state, [state.message])
    state = _start(session, str(version), port)
    said = [f"{state.message} Try:", _example(state)]
    if background:
        return Answer(state, [*said, "Stop it with: lmcore serve --stop"])
    return Answer(state, [*said, "Ctrl-C stops it."], after=lambda: _wait_until_stopped(session))


def _start(session: Session, version: str, port: int | None) -> "ServerState":
    """Start the server and wait until it answers; an interruption meanwhile stops it."""
    from lmcore.serving.server import server_state, start_server, stop_server

    workspace = session.settings.workspace
    state = start_server(session.settings, version, port)
    session.note(state.message)
    deadline = time.monotonic() + START_SECONDS
    try:
        while state.state == "starting" and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            state = server_state(workspace)
    except KeyboardInterrupt:
        stop_server(workspace)
        raise
    if state.state == "starting":
        stop_server(workspace)
        raise ServerError(f"The prediction server did not answer within {START_SECONDS:.0f} seconds: see {state.log}.")
    if state.state != "running":
        raise ServerError(state.message)
    return state


def _wait_until_stopped(session: Session) -> None:
    """Keep the command in the foreground; what ends it ends the server too."""
    from lmcore.serving.server import server_state, stop_server

    workspace = session.settings.workspace
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while (state := server_state(workspace)).state == "running":
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        session.note(stop_server(workspace).message)
        raise click.exceptions.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)
    if state.state != "stopped":
        raise ServerError(state.message)
    session.note(state.message)


def _status(session: Session) -> Answer:
    from lmcore.serving.monitor import read_stats
    from lmcore.serving.server import server_state

    workspace = session.settings.workspace
    state = server_state(workspace)
    stats = read_stats(workspace)
    document: dict[str, Any] = {
        "server": state,
        "requests": stats.requests,
        "errors": stats.errors,
        "texts": stats.texts,
        "latency_ms": stats.latency_ms,
        "labels": stats.labels,
        "versions": stats.versions,
    }
    shown = [state.message]
    if stats.requests:
        median = f", half of them within {stats.latency_ms['p50']:.0f} ms" if stats.latency_ms else ""
        shown.append(
            f"It has answered {count_of(stats.requests, 'request')} with "
            f"{count_of(stats.texts, 'text')}{median}; {stats.errors} failed."
        )
    return Answer(document, shown)


def _example(state: "ServerState") -> str:
    return f"  curl -s {state.url}/predict -H 'Content-Type: application/json' -d '{{\"text\": \"…\"}}'"
