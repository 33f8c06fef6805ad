"""The prediction server's own process, and its application for ``uvicorn --factory``."""

import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.errors import LmError, OptionError
from lmcore.garbage import collect_seldom
from lmcore.serving.server import ServerState, write_state
from lmcore.settings import Settings, Workspace

if TYPE_CHECKING:
    from fastapi import FastAPI

SHUTDOWN_SECONDS = 5


def create_app() -> "FastAPI":
    """Build the application from the environment: ``uvicorn --factory lmcore.serving.launch:create_app``.

    Reads ``LMSCOPE_SERVE_MODEL`` (which model), ``LMSCOPE_API_KEY_SHA256`` (the key's hash, or nothing) and what
    `Settings.from_environment` reads.

    Raises:
        OptionError: no model is named.
        InputError: it cannot be loaded.
    """
    from lmcore.serving.api import build_app

    model = os.environ.get("LMSCOPE_SERVE_MODEL", "")
    if not model:
        raise OptionError("LMSCOPE_SERVE_MODEL is not set: give a registered version, such as models:/name@champion.")
    key = os.environ.get("LMSCOPE_API_KEY_SHA256", "")
    return build_app(model, settings=Settings.from_environment(), api_key_sha256=key)


def run_server(given: dict[str, Any]) -> int:
    """Load the model, serve it on the socket that was passed on, and keep the state file true.

    Returns:
        The exit code of the process.
    """
    state = ServerState(**given["state"])
    workspace = Workspace(Path(given["root"]))
    settings = Settings(workspace, device=given["device"], tracking_uri=given["tracking_uri"])
    try:
        from lmcore.serving.api import build_app

        app = build_app(state.version, settings=settings, api_key_sha256=given["api_key_sha256"])
    except LmError as error:
        write_state(workspace, replace(state, state="failed", message=str(error)))
        return 2
    server = _server(app, workspace, state)
    with socket.socket(fileno=given["socket"]) as listener:
        server.run(sockets=[listener])
    return 0


def _server(app: "FastAPI", workspace: Workspace, state: ServerState) -> Any:
    import uvicorn

    class StatefulServer(uvicorn.Server):
        """Says that it runs once it listens, and that it stopped before its signal ends the process."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            message = f"The prediction server answers at {state.url} with {state.version}."
            write_state(workspace, replace(state, state="running", message=message))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await super().shutdown(sockets)
            write_state(workspace, replace(state, state="stopped", message="The prediction server is stopped."))

    # Requests are counted in the records; the access log would only repeat their paths.
    config = uvicorn.Config(app, access_log=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS)
    return StatefulServer(config)


def main() -> int:
    """Take the settings from the standard input, which the starting process closes once they are complete."""
    collect_seldom()
    given = sys.stdin.buffer.read()
    return run_server(json.loads(given)) if given else 2


if __name__ == "__main__":
    sys.exit(main())
