"""Asking the prediction server of a workspace."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lmcore.errors import ServerError
from lmcore.serving.body import Limits
from lmcore.serving.failed import FailedPrediction
from lmcore.serving.server import server_state
from lmcore.settings import Workspace
from lmcore.types import Input, Prediction, Span

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


def ask_server(
    workspace: Workspace, *, api_key: str = "", timeout: float = TIMEOUT_SECONDS
) -> Callable[[Sequence[Input]], list[Prediction]]:
    """Return a function that predicts inputs by the running prediction server, as many at once as it takes.

    Whatever analyses a model by its answers alone can be given this function in place of a loaded model.

    Args:
        workspace: whose server.
        api_key: the key where the server asks for one.
        timeout: seconds to wait for each answer.

    Returns:
        A function that gives one prediction for each input, a `FailedPrediction` where the model could not work on it, and
        raises `ServerError` where `send` does.
    """

    def predict(texts: Sequence[Input]) -> list[Prediction]:
        entries: list[Mapping[str, Any]] = []
        for part in _requests(texts, Limits()):
            entries += send(workspace, part, api_key=api_key, timeout=timeout)["predictions"]
        return [_prediction(number, entry) for number, entry in enumerate(entries)]

    return predict


def _requests(texts: Sequence[Input], limits: Limits) -> Iterator[list[Input]]:
    """Yield the texts in parts that one request may hold."""
    part: list[Input] = []
    size = 0
    for text in texts:
        needed = len(json.dumps(text).encode()) + 2
        if part and (len(part) == limits.texts or size + needed > limits.body_bytes // 2):
            yield part
            part, size = [], 0
        part.append(text)
        size += needed
    if part:
        yield part


def _prediction(number: int, entry: Mapping[str, Any]) -> Prediction:
    if "error" in entry:
        return FailedPrediction(number, error=str(entry["error"]))
    label, probabilities = str(entry["label"]), dict(entry["probabilities"])
    spans = tuple(Span(**span) for span in entry.get("spans", ()))
    score = min((span.score for span in spans), default=probabilities.get(label, 0.0))
    return Prediction(number, label, float(score), probabilities, spans, str(entry.get("text", "")))
