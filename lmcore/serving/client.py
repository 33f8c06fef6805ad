"""Asking the prediction server of a workspace."""

from collections.abc import Sequence
from typing import Any

from lmcore.errors import ServerError
from lmcore.serving.server import server_state
from lmcore.settings import Workspace
from lmcore.types import Input

TIMEOUT_SECONDS = 30.0


def send(
    workspace: Workspace, texts: Sequence[Input], *, api_key: str = "", timeout: float = TIMEOUT_SECONDS
) -> dict[str, Any]:
    """Send texts to the running prediction server and return its answer.

    Args:
        workspace: whose server.
        texts: what to predict.
        api_key: the key where the server asks for one.
        timeout: seconds to wait for the answer.

    Returns:
        ``{"predictions": [{"label": …, "probabilities": {…}, "version": …}]}``.

    Raises:
        ServerError: no server runs, it refused the request, or it did not answer in time.
    """
    import httpx

    state = server_state(workspace)
    if state.state != "running":
        raise ServerError(f"The prediction server is not running ({state.state}): start it first.")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        # The server is on this machine, so that no proxy of the environment may stand between.
        with httpx.Client(trust_env=False, timeout=timeout) as client:
            answer = client.post(f"{state.url}/predict", json={"texts": list(texts)}, headers=headers)
        content = answer.json()
    except httpx.TimeoutException as error:
        raise ServerError(
            f"The prediction server did not answer within {timeout:g} seconds: see {state.log}."
        ) from error
    except (httpx.HTTPError, ValueError) as error:
        raise ServerError(
            f"The prediction server at {state.url} gave no usable answer ({type(error).__name__}): see {state.log}."
        ) from error
    if answer.status_code != 200:
        raise ServerError(str(content.get("error", f"The prediction server answered {answer.status_code}.")))
    return dict(content)
