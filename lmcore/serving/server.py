"""The prediction server as a process of its own: starting it, asking how it is, stopping it."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Literal, cast

import psutil

from lmcore.audit import audited
from lmcore.errors import InputError, ServerError, StorageError
from lmcore.jobs.process import ProcessId, child_environment
from lmcore.settings import Settings, Workspace
from lmcore.storage import disk_errors, write_json
from lmcore.types import ModelRef

HOST = "127.0.0.1"
STOP_SECONDS = 10.0
PORTS_TRIED = 50
LOG_BYTES = 5 << 20
State = Literal["stopped", "starting", "running", "failed", "died"]


@dataclass(frozen=True, slots=True)
class ServerState:
    """How the prediction server of a workspace is.

    Attributes:
        state: ``starting`` while it loads the model, ``running``, ``stopped``, ``failed`` where it could not start,
            ``died`` where its process is gone though nobody stopped it.
        version: the model version it was started with, a number even where an alias was asked for.
        port: its port on the loopback interface.
        url: its address, without a path.
        pid: its process number; 0 where it was never started.
        started: when the process was started, in seconds since 1970.
        message: one sentence for the user.
        log: its log file.
    """

    state: State
    version: str = ""
    port: int = 0
    url: str = ""
    pid: int = 0
    started: float = 0.0
    message: str = ""
    log: str = ""


def server_state(workspace: Workspace) -> ServerState:
    """Say how the server is; the file that it wrote is held against the process that it names."""
    state = _read_state(workspace)
    if state.state in {"starting", "running"} and not _process(state).alive():
        ended = f"The prediction server (process {state.pid}) ended without being stopped"
        return replace(state, state="died", message=f"{ended}: start it again, and see {state.log} for the reason.")
    return state


def start_server(
    settings: Settings, ref: "ModelRef | str", port: int | None = None, *, api_key_sha256: str = ""
) -> ServerState:
    """Start the server in a process that outlives the caller; it is ``starting`` until the model is loaded.

    Args:
        settings: workspace, device and registry.
        ref: which model; an alias is resolved to its number now.
        port: on the loopback interface; None takes that of the settings, or the next free one.
        api_key_sha256: hexadecimal SHA-256 of the key that callers have to send; empty asks for none.

    Raises:
        ServerError: one runs already, or the port is taken.
        InputError: there is no such model, or it has no trained head.
        AccessError: the workspace's actor may not start it.
    """
    workspace = settings.workspace
    with audited(workspace, "start_server", str(ref)) as noted, _change_lock(workspace):
        before = server_state(workspace)
        if before.state in {"starting", "running"}:
            raise ServerError(f"A prediction server runs already at {before.url} with {before.version}: stop it first.")
        version = _servable(ref, settings)
        noted["object"] = str(version)
        with _bound_socket(settings.server_port if port is None else port, exact=port is not None) as listener:
            return _launch(settings, version, listener, api_key_sha256)


def stop_server(workspace: Workspace) -> ServerState:
    """Let the server answer what it has begun and end it; after ten seconds it is killed.

    Raises:
        ServerError: another page or program has been starting or stopping it for longer than that.
        AccessError: the workspace's actor may not stop it.
    """
    state = _read_state(workspace)
    if state.state not in {"starting", "running"}:
        return state
    # A start between the end of this server and the note of it would otherwise be noted as stopped.
    with (
        audited(workspace, "stop_server", state.version),
        _change_lock(workspace, wait_seconds=2 * STOP_SECONDS),
    ):
        return _stop(workspace)


def _stop(workspace: Workspace) -> ServerState:
    state = _read_state(workspace)
    process = _process(state)
    if state.state not in {"starting", "running"}:
        return state
    process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while process.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill_group()
    stopped = replace(state, state="stopped", message="The prediction server is stopped.")
    write_state(workspace, stopped)
    return stopped


def write_state(workspace: Workspace, state: ServerState) -> None:
    """Replace the state file at once.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(_state_file(workspace), asdict(state))


def _launch(settings: Settings, version: ModelRef, listener: socket.socket, api_key_sha256: str) -> ServerState:
    workspace, log = settings.workspace, settings.workspace.serving / "server.log"
    port = int(listener.getsockname()[1])
    with disk_errors(log):
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "lmcore.serving.launch"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=workspace.serving,
                env=child_environment(),
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
    state = ServerState(
        state="starting",
        version=str(version),
        port=port,
        url=f"http://{HOST}:{port}",
        pid=child.pid,
        started=psutil.Process(child.pid).create_time(),
        message=f"The prediction server loads {version} and will answer on port {port}.",
        log=str(log),
    )
    # A caller that lives on has to collect its ended child; one that ends leaves that to the system.
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
    given = {
        "state": asdict(state),
        "socket": listener.fileno(),
        "root": str(workspace.root.absolute()),
        "device": settings.device,
        "tracking_uri": settings.tracking_uri,
        "api_key_sha256": api_key_sha256,
    }
    # The child waits for its input, so that its own states come after this one; and no process list shows it.
    with cast(IO[bytes], child.stdin) as stdin:
        write_state(workspace, state)
        stdin.write(json.dumps(given).encode())
    return state


def _servable(ref: "ModelRef | str", settings: Settings) -> ModelRef:
    from lmcore.models.catalogue import resolve_model
    from lmcore.models.load import model_folder

    resolved = resolve_model(ref, settings)
    if not model_folder(resolved, settings)[1]:
        raise InputError(f"{resolved} has no trained head: serve a registered version, such as models:/name@champion.")
    return resolved


@contextmanager
def _bound_socket(port: int, *, exact: bool) -> Iterator[socket.socket]:
    """Bind the port before the process starts, so that nobody takes it in between."""
    for candidate in range(port, min(port + (1 if exact else PORTS_TRIED), 65536)):
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, candidate))
        except OSError:
            listener.close()
            continue
        with listener:
            yield listener
        return
    hint = (
        "give another one, or none to take the next that is free" if exact else "set LMSCOPE_SERVER_PORT to a free one"
    )
    raise ServerError(f"Port {port} is taken by another program: {hint}.")


@contextmanager
def _change_lock(workspace: Workspace, *, wait_seconds: float = 0.0) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(workspace.folder(workspace.serving) / "start.lock", timeout=wait_seconds)
    with disk_errors(workspace.serving):
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, which disk_errors would take for the disk's
            raise ServerError(
                "Another page or program starts or stops the prediction server in this moment: wait for it."
            ) from error
    try:
        yield
    finally:
        lock.release()


def _read_state(workspace: Workspace) -> ServerState:
    path = _state_file(workspace)
    try:
        return ServerState(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ServerState("stopped", message="The prediction server was not started yet.")
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"The server's state file {path} cannot be read: delete it and start the server again."
        ) from error


def _state_file(workspace: Workspace) -> Path:
    return workspace.serving / "server.json"


def _process(state: ServerState) -> ProcessId:
    return ProcessId(state.pid, state.started)
