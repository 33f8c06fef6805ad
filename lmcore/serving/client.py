"""Asking a prediction server: that of a workspace, or one at an address."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmcore.errors import InputError, ServerError
from lmcore.serving.body import Limits
from lmcore.serving.failed import FailedPrediction
from lmcore.serving.server import server_state
from lmcore.settings import Workspace
from lmcore.types import Input, Prediction, Span

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 30.0
ADDRESSES = ("http://", "https://")


def send(
    workspace: "Workspace | str", texts: Sequence[Input], *, api_key: str = "", timeout: float = TIMEOUT_SECONDS
) -> dict[str, Any]:
    """Send texts to a running prediction server and return its answer.

    Args:
        workspace: whose server; or the address of one, such as ``https://models.example``.
        texts: what to predict.
        api_key: the key where the server asks for one.
        timeout: seconds to wait for the answer.

    Returns:
        ``{"predictions": [{"label": …, "probabilities": {…}, "version": …}]}``.

    Raises:
        ServerError: no server runs, it refused the request, or it did not answer in time.
        InputError: the address is none.
    """
    import httpx

    url, log = _place(workspace)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    see = f": see {log}" if log else ""
    try:
        # A workspace's server is on this machine, so that no proxy of the environment may stand between.
        with httpx.Client(trust_env=not log, timeout=timeout) as client:
            answer = client.post(f"{url}/predict", json={"texts": list(texts)}, headers=headers)
    except httpx.TimeoutException as error:
        raise ServerError(f"The prediction server did not answer within {timeout:g} seconds{see}.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(
            f"The prediction server at {url} gave no usable answer ({type(error).__name__}){see}."
        ) from error
    return _content(answer, f"The prediction server at {url}", see)


def _place(workspace: "Workspace | str") -> tuple[str, str]:
    """Return a server's address, and its log where it is this machine's own."""
    if isinstance(workspace, str):
        if not workspace.startswith(ADDRESSES):
            raise InputError(f"{workspace!r} is no address of a server: write one such as https://models.example.")
        return workspace.rstrip("/"), ""
    state = server_state(workspace)
    if state.state != "running":
        raise ServerError(f"The prediction server is not running ({state.state}): start it first.")
    return state.url, state.log


def _content(answer: "httpx.Response", server: str, see: str) -> dict[str, Any]:
    """Return what a server answered.

    Raises:
        ServerError: it refused, or its answer is no JSON object; what stands before it may refuse in words of its own.
    """
    try:
        content = answer.json()
    except ValueError as error:
        content = error
    if answer.status_code != 200:
        said = content.get("error") if isinstance(content, dict) else None
        if not said and answer.status_code in (429, 503):
            seconds = answer.headers.get("Retry-After", "")
            later = f"in {seconds} seconds" if seconds.isdecimal() else "later"
            said = f"{server} has too much to do ({answer.status_code}): ask again {later}."
        raise ServerError(str(said or f"{server} answered {answer.status_code}{see}."))
    if not isinstance(content, dict) or not isinstance(content.get("predictions"), list):
        kind = type(content).__name__
        raise ServerError(f"{server} gave no usable answer ({kind}){see}.")
    return content


def server_client(
    workspace: "Workspace | str", *, api_key: str = "", timeout: float = TIMEOUT_SECONDS
) -> Callable[[Sequence[Input]], dict[str, Any]]:
    """Return a function that sends any number of texts, as many at once as a server takes; see `send` for the rest."""

    def ask(texts: Sequence[Input]) -> dict[str, Any]:
        entries: list[Mapping[str, Any]] = []
        for part in _requests(texts, Limits()):
            entries += send(workspace, part, api_key=api_key, timeout=timeout)["predictions"]
        return {"predictions": entries}

    return ask


def ask_server(
    workspace: "Workspace | str", *, api_key: str = "", timeout: float = TIMEOUT_SECONDS
) -> Callable[[Sequence[Input]], list[Prediction]]:
    """Return a function that predicts inputs by a running prediction server, as many at once as it takes.

    Whatever analyses a model by its answers alone can be given this function in place of a loaded model.

    Args:
        workspace: whose server; or the address of one.
        api_key: the key where the server asks for one.
        timeout: seconds to wait for each answer.

    Returns:
        A function that gives one prediction for each input, a `FailedPrediction` where the model could not work on it, and
        raises `ServerError` where `send` does.
    """
    ask = server_client(workspace, api_key=api_key, timeout=timeout)

    def predict(texts: Sequence[Input]) -> list[Prediction]:
        return [prediction_of(number, entry) for number, entry in enumerate(ask(texts)["predictions"])]

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


def prediction_of(number: int, entry: Mapping[str, Any]) -> Prediction:
    """Return an entry of a server's answer as a prediction; a `FailedPrediction` where the model could not work on its text."""
    if "error" in entry:
        return FailedPrediction(number, error=str(entry["error"]))
    label, probabilities = str(entry["label"]), dict(entry["probabilities"])
    spans = tuple(Span(**span) for span in entry.get("spans", ()))
    score = min((span.score for span in spans), default=probabilities.get(label, 0.0))
    return Prediction(number, label, float(score), probabilities, spans, str(entry.get("text", "")))
