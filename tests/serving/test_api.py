import asyncio
import hashlib
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi.testclient import TestClient

from lmcore.errors import InputError, OptionError
from lmcore.serving import build_app, read_stats
from lmcore.serving.body import Limits
from lmcore.types import Prediction

CLASSES = {"food", "travel", "weather"}


def post(client, content, **options):
    return client.post("/predict", json=content, **options)


def test_one_text_and_several_have_the_same_form(client, predictor):
    one = post(client, {"text": "rain today"}).json()
    several = post(client, {"texts": ["rain today", "a ticket"]}).json()
    assert set(one) == set(several) == {"predictions"}
    assert [len(one["predictions"]), len(several["predictions"])] == [1, 2]
    for entry, expected in zip(several["predictions"], predictor.predict(["rain today", "a ticket"]), strict=True):
        assert set(entry) == {"label", "probabilities", "version"}
        assert entry["label"] == expected.label
        assert entry["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
        assert set(entry["probabilities"]) == CLASSES
        assert entry["version"] == predictor.version


def test_an_alias_answers_as_its_number(champion, settings):
    with TestClient(build_app("models:/topics@champion", settings=settings)) as client:
        assert post(client, {"text": "rain"}).json()["predictions"][0]["version"] == "models:/topics/1"
        health = client.get("/health").json()
    assert health == {
        "status": "ok",
        "model_loaded": True,
        "version": "models:/topics/1",
        "task": "text-classification",
    }


def test_a_version_is_found_in_the_given_workspace(champion, workspace):
    build_app("models:/topics/1", workspace=workspace)
    with pytest.raises(InputError, match="known: topics"):
        build_app("models:/other/1", workspace=workspace)


def test_bad_requests_are_one_sentence(client):
    for body, status in ((b"{", 422), (b'{"text": ""}', 422), (b'{"texts": "a"}', 422), (b"x" * (3 << 20), 413)):
        answer = client.post("/predict", content=body)
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}
    assert client.get("/nowhere").json() == {"error": "Not Found: /nowhere."}
    assert client.get("/predict").status_code == 405


def test_a_body_without_a_length_is_cut_off(predictor):
    sent = []

    def parts():
        for _ in range(100):
            sent.append(1)
            yield b"x" * 1000

    with TestClient(build_app(predictor, limits=Limits(body_bytes=5000))) as client:
        answer = client.post("/predict", content=parts())
    assert (answer.status_code, set(answer.json())) == (413, {"error"})


def test_a_poisonous_text_has_an_error_entry(client, predictor):
    body = b'{"texts": ["rain", "\\ud800", "soup"]}'
    entries = client.post("/predict", content=body).json()["predictions"]
    assert [set(entry) for entry in entries][::2] == [{"label", "probabilities", "version"}] * 2
    assert entries[1] == {"error": "The model cannot work on this text (UnicodeEncodeError)."}
    alone = client.post("/predict", content=b'{"text": "\\ud800"}')
    assert (alone.status_code, set(alone.json())) == (422, {"error"})


def test_requests_are_counted(client, workspace, predictor):
    for text in ("rain", "wind", "soup"):
        post(client, {"texts": [text, "storm"]})
    client.post("/predict", content=b"{")
    stats = client.get("/stats").json()
    assert (stats["requests"], stats["errors"], stats["texts"]) == (4, 1, 6)
    assert set(stats["latency_ms"]) == {"p50", "p95", "p99"}
    assert sum(stats["labels"].values()) == pytest.approx(1)
    labels = [item.label for text in ("rain", "wind", "soup") for item in predictor.predict([text, "storm"])]
    assert stats["labels"] == pytest.approx({name: labels.count(name) / 6 for name in set(labels)})
    stored = read_stats(workspace)
    assert (stored.requests, stored.errors, dict(stored.labels)) == (4, 1, stats["labels"])
    metrics = client.get("/metrics").text
    assert 'lmscope_requests_total{status="200"} 3.0' in metrics
    assert 'lmscope_requests_total{status="422"} 1.0' in metrics
    assert f'lmscope_predictions_total{{label="{labels[0]}"}} {float(labels.count(labels[0]))}' in metrics
    assert "lmscope_latency_seconds_count 3.0" in metrics


def test_two_applications_in_one_process_count_apart(predictor):
    with TestClient(build_app(predictor)) as first, TestClient(build_app(predictor)) as second:
        post(first, {"text": "rain"})
        assert (first.get("/stats").json()["requests"], second.get("/stats").json()["requests"]) == (1, 0)


def test_texts_are_neither_logged_nor_stored(client, workspace, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    post(client, {"texts": ["Zanzibar secret", "rain"]})
    client.post("/predict", content=b'{"texts": ["Zanzibar \\ud800"]}')
    client.post("/predict", content=b'{"text": "Zanzibar"')
    out, err = capfd.readouterr()
    stored = b"".join(path.read_bytes() for path in workspace.serving.iterdir())
    assert "Zanzibar" not in caplog.text + out + err
    assert b"Zanzibar" not in stored


def test_the_key_is_asked_for_everywhere_but_health(predictor):
    digest = hashlib.sha256(b"open sesame").hexdigest()
    with TestClient(build_app(predictor, api_key_sha256=digest.upper())) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {digest}"}):
            answer = post(client, {"text": "rain"}, headers=headers)
            assert (answer.status_code, set(answer.json())) == (401, {"error"})
        assert client.get("/stats").status_code == client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == 200
        right = {"Authorization": "Bearer open sesame"}
        assert post(client, {"text": "rain"}, headers=right).status_code == 200
        assert post(client, {"text": "rain"}, headers={"Authorization": "bearer open sesame"}).status_code == 200
        assert client.get("/stats", headers=right).json()["errors"] == 5
    with pytest.raises(OptionError, match="64 hexadecimal digits"):
        build_app(predictor, api_key_sha256="open sesame")


def test_no_other_site_is_let_in(client):
    answer = post(client, {"text": "rain"}, headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.get("/docs").status_code == 404
    schema = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    assert set(schema["requestBody"]["content"]["application/json"]["schema"]["properties"]) == {"text", "texts"}


def test_a_full_queue_is_503_and_says_when_to_come_again(predictor, monkeypatch):
    entered, go = threading.Event(), threading.Event()

    def predict(texts):
        entered.set()
        assert go.wait(20)
        return [Prediction(number, "weather", 1.0, {"weather": 1.0}) for number, _ in enumerate(texts)]

    monkeypatch.setattr(predictor, "predict", predict)
    app = build_app(predictor, max_waiting=2)

    async def overload():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            first = asyncio.create_task(client.post("/predict", json={"text": "a"}))
            await asyncio.to_thread(entered.wait, 20)
            second = asyncio.create_task(client.post("/predict", json={"texts": ["b", "c"]}))
            while b"lmscope_waiting_texts 2.0" not in (await client.get("/metrics")).content:
                await asyncio.sleep(0)
            refused = await client.post("/predict", json={"text": "d"})
            go.set()
            return refused, await first, await second

    refused, *answered = asyncio.run(overload())
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {"error": "The server is busy, 2 texts wait already: try again in a second."}
    assert [answer.status_code for answer in answered] == [200, 200]


def test_many_clients_at_once_get_their_own_answers(client, predictor):
    texts = [f"{word} and {number}" for number, word in enumerate(["rain", "soup", "hotel"] * 20)]
    expected = [item.probabilities for item in predictor.predict(texts)]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda text: post(client, {"text": text}).json()["predictions"][0], texts))
    for answer, probabilities in zip(answers, expected, strict=True):
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-5)


def test_an_unforeseen_failure_is_still_json_and_counted(predictor, monkeypatch):
    def fail(texts):
        raise OSError("gone")

    monkeypatch.setattr(predictor, "predict", fail)
    with TestClient(build_app(predictor), raise_server_exceptions=False) as client:
        answer = post(client, {"text": "rain"})
        counted = client.get("/stats").json()
    assert (counted["requests"], counted["errors"], counted["latency_ms"]) == (1, 1, {})
    assert (answer.status_code, json.loads(answer.text)) == (
        500,
        {"error": "The server failed with OSError: see its log."},
    )
