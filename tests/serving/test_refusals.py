"""What a server, or what stands before it, may answer in the place of predictions: one sentence each."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lmcore.analysis.served.trust import measure_served
from lmcore.errors import InputError, ServerError
from lmcore.serving import attribute_served, send, server_client

TEXT = "the bread was late"


class _Answering(BaseHTTPRequestHandler):
    """Answers what the server's ``answers`` holds next; the last again and again."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == "break":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            self.close_connection = True
            return
        if answer == "silence":
            self.server.go.wait(10)
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def answering():
    server = HTTPServer(("127.0.0.1", 0), _Answering)
    server.answers, server.go = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {}, {"error": "The key is missing or wrong: send it."}), "The key is missing or wrong"),
        ((401, {}, b"<html>"), "answered 401"),
        ((429, {"Retry-After": "7"}, b"slow down"), r"too much to do \(429\): ask again in 7 seconds"),
        ((429, {}, {}), r"too much to do \(429\): ask again later"),
        ((500, {}, b""), "answered 500"),
        ((200, {}, b"<html>"), "no usable answer"),
        ((200, {}, {"predictions": 3}), "no usable answer"),
        ((422, {}, {"error": "Text 1 is empty."}), "Text 1 is empty"),
        ("break", "no usable answer"),
        ("silence", r"did not answer within 0\.2 seconds"),
    ],
)
def test_a_refusal_is_one_sentence(answering, answer, said):
    answering.answers = [answer]
    with pytest.raises(ServerError, match=said) as error:
        send(address(answering), [TEXT], api_key="open sesame", timeout=0.2)
    assert "\n" not in str(error.value)
    assert "sesame" not in str(error.value)


def test_a_server_that_stops_half_way_and_one_poisoned_text(answering):
    good = {"label": "food", "probabilities": {"food": 0.7, "rain": 0.3}, "version": "models:/m/1"}
    client = server_client(address(answering), timeout=5)
    answering.answers = [(200, {}, {"predictions": [good]}), "break"]
    with pytest.raises(ServerError, match="no usable answer"):
        attribute_served(client, TEXT, method="leave_one_out")
    answering.answers = [
        (200, {}, {"predictions": [good]}),
        (200, {}, {"predictions": [{"error": "It is too long."}] * 5}),
    ]
    with pytest.raises(ServerError, match="could not predict a text: It is too long"):
        attribute_served(client, TEXT, method="leave_one_out")


def test_where_nobody_listens_or_the_address_is_none():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerError, match="no usable answer"):
        send(f"http://127.0.0.1:{port}", [TEXT])
    with pytest.raises(InputError, match="no address of a server"):
        send("ftp://models.example", [TEXT])


def test_trust_is_not_measured_of_another_model():
    def client(texts):
        return {"predictions": [{"label": "a", "probabilities": {"a": 1.0}, "version": version} for _ in texts]}

    version = "models:/m/1"
    found = attribute_served(client, TEXT, method="leave_one_out")
    version = "models:/m/2"
    with pytest.raises(ServerError, match="changed from models:/m/1 to models:/m/2"):
        measure_served(client, found)
