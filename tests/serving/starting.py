"""Waiting for a real server."""

import time

from lmcore.serving import server_state
from lmcore.serving.server import ServerState
from lmcore.settings import Workspace

SECONDS = 60


def until_started(workspace: Workspace, seconds: float = SECONDS) -> ServerState:
    """Return the state of a workspace's server once it has started, or failed to."""
    deadline = time.monotonic() + seconds
    while (state := server_state(workspace)).state == "starting":
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state
