"""Analysing a model by the answers of its prediction server alone."""

import json

import pytest

from lmcore.analysis import counterfactuals
from lmcore.errors import ServerError
from lmcore.serving import FailedPrediction, ask_server
from lmcore.serving.body import Limits
from lmcore.serving.client import _requests
from lmcore.types import Span

TEXT = "we had some bread and cheese today"


@pytest.fixture
def asked(client, workspace, monkeypatch):
    """What asks the application in this process, as `send` asks the one of a workspace."""

    def send(place, texts, *, api_key="", timeout=0):
        answer = client.post("/predict", json={"texts": list(texts)})
        if answer.status_code != 200:
            raise ServerError(answer.json()["error"])
        return answer.json()

    monkeypatch.setattr("lmcore.serving.client.send", send)
    return ask_server(workspace)


def test_the_server_gives_the_same_counterfactuals_as_the_model(asked, tiny_loaded):
    kinds = ["deletion", "typos", "replacement"]
    edits = {name: {"words": "list"} if name == "replacement" else {} for name in kinds}
    one, two = (counterfactuals(model, TEXT, edits=edits, seed=1) for model in (asked, tiny_loaded))
    assert [item.edits for item in one.tried] == [item.edits for item in two.tried]
    assert [item.flips for item in one.tried] == [item.flips for item in two.tried]
    assert [item.change for item in one.tried] == pytest.approx([item.change for item in two.tried], abs=1e-5)
    assert one.minimal[0].edits == two.minimal[0].edits if two.minimal else not one.minimal


def test_without_a_server_it_says_so(workspace):
    with pytest.raises(ServerError, match="start it first"):
        counterfactuals(ask_server(workspace), TEXT)


def test_spans_texts_and_errors_are_read(workspace, monkeypatch):
    entries = [
        {"label": "answer", "probabilities": {"answer": 0.7}, "version": "v", "text": "Anna",
         "spans": [{"start": 0, "end": 4, "label": "answer", "score": 0.6}]},
        {"error": "It cannot be read."},
        {"label": "good", "probabilities": {"good": 0.9, "bad": 0.1}, "version": "v"},
    ]  # fmt: skip
    monkeypatch.setattr("lmcore.serving.client.send", lambda *_, **__: {"predictions": entries})
    first, failed, last = ask_server(workspace)(["a", "b", "c"])
    assert (first.text, first.spans, first.score) == ("Anna", (Span(0, 4, "answer", 0.6),), 0.6)
    assert isinstance(failed, FailedPrediction)
    assert failed.error == "It cannot be read."
    assert (last.label, last.score) == ("good", 0.9)


def test_no_request_is_larger_than_the_server_reads():
    texts = ["质" * 90_000] * 30 + ["short"] * 600
    limits = Limits()
    parts = list(_requests(texts, limits))
    assert [text for part in parts for text in part] == texts
    for part in parts:
        assert len(part) <= limits.texts
        assert len(json.dumps({"texts": part}, ensure_ascii=False).encode()) <= limits.body_bytes
