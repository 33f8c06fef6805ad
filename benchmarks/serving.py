"""Requests a second and latency of the prediction server, beside a naive FastAPI endpoint on the same model.

Both servers run in processes of their own, on the loopback interface alone, with all-MiniLM-L6-v2 and a
classification head; requests are bounded in number and in time. The processor time of the server for each request
is given too, since it hardly depends on what else the machine does. Run: ``python benchmarks/serving.py``.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

ROUNDS = 3
REQUESTS = {1: 200, 32: 1000}
SECONDS = 20.0
WORDS = ["the", "delivery", "was", "late", "but", "support", "helped", "again", "after", "a", "day", "of", "waiting"]


class Server(NamedTuple):
    """Where a server listens and which process it is."""

    port: int
    pid: int


def make_texts(count: int, seed: int = 0) -> list[str]:
    """Return texts of 4 to 40 words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(4, 41))) + f" {number}" for number in range(count)]


def save_model(folder: Path) -> None:
    """Save MiniLM with a new head of three classes."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    from lmcore.models.catalogue import packaged_folder

    source = packaged_folder("all-MiniLM-L6-v2")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    AutoModelForSequenceClassification.from_pretrained(source, num_labels=3).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


def serve_naively(folder: str, port: int) -> None:
    """Run the endpoint that most tutorials show: one forward pass a request, in FastAPI's thread pool."""
    import torch
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    app = FastAPI()

    class Body(BaseModel):
        text: str

    @app.post("/predict")
    def predict(body: Body) -> dict[str, Any]:
        with torch.inference_mode():
            logits = model(**tokenizer(body.text, return_tensors="pt", truncation=True)).logits[0]
        scores = torch.softmax(logits, 0).tolist()
        names = [model.config.id2label[i] for i in range(len(scores))]
        return {"label": names[int(np.argmax(scores))], "probabilities": dict(zip(names, scores, strict=True))}

    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False)


def ask(server: Server, texts: list[str], clients: int) -> tuple[float, float, float, float]:
    """Send the texts one by one from so many clients.

    Returns:
        Requests a second, the 50th and 99th percentile of the latency and the server's processor time for a request,
        each in milliseconds.
    """
    waiting, latencies, lock = iter(texts), [], threading.Lock()
    before = processor_seconds(server.pid)
    end = time.perf_counter() + SECONDS

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        while time.perf_counter() < end:
            with lock:
                text = next(waiting, None)
            if text is None:
                break
            started = time.perf_counter()
            connection.request("POST", "/predict", json.dumps({"text": text}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}")
            latencies.append(1000 * (time.perf_counter() - started))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, used = time.perf_counter() - started, processor_seconds(server.pid) - before
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    return len(latencies) / seconds, p50, p99, 1000 * used / len(latencies)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def naive(folder: Path, port: int) -> Iterator[Server]:
    """Run the naive server in a process of its own."""
    command = [sys.executable, __file__, "--naive", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield Server(port, process.pid)
        finally:
            process.terminate()


@contextmanager
def ours(root: Path, folder: Path) -> Iterator[Server]:
    """Run the prediction server on a registered copy of the same model."""
    from lmcore.models.registry import ModelRegistry
    from lmcore.serving import start_server, stop_server
    from lmcore.settings import Settings, Workspace

    settings = Settings(Workspace(root), device="cpu")
    target = settings.workspace.models / "minilm" / "1"
    shutil.copytree(folder, target)
    version = ModelRegistry(settings.workspace).register("minilm", target, task="text-classification")
    try:
        state = start_server(settings, version.ref, port=0)
        wait_for(state.port)
        yield Server(state.port, state.pid)
    finally:
        stop_server(settings.workspace)


def wait_for(port: int) -> None:
    """Wait until a server listens, which both do only once their model is loaded."""
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def compare() -> None:
    """Measure both servers in turn and print the medians and their ratios."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        save_model(folder)
        with ours(Path(place) / "workspace", folder) as own, naive(folder, own.port + 1) as other:
            servers = {"lmscope": own, "naive FastAPI": other}
            found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
            for server in servers.values():
                ask(server, make_texts(50, seed=1), 4)
            for round_number in range(ROUNDS):
                for clients, count in REQUESTS.items():
                    for name, server in servers.items():
                        texts = make_texts(count, seed=round_number)
                        found.setdefault((name, clients), []).append(ask(server, texts, clients))
    medians = {key: [statistics.median(column) for column in zip(*rows, strict=True)] for key, rows in found.items()}
    print(f"median of {ROUNDS} rounds; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'server':<14} {'clients':>7} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'processor ms/request':>21}")
    for (name, clients), (rate, p50, p99, used) in medians.items():
        print(f"{name:<14} {clients:>7} {rate:>10.0f} {p50:>8.1f} {p99:>8.1f} {used:>21.1f}")
    for clients in REQUESTS:
        ratios = [a / b for a, b in zip(medians["lmscope", clients], medians["naive FastAPI", clients], strict=True)]
        print(
            f"{clients} clients, lmscope / naive: requests/s {ratios[0]:.2f}, p99 {ratios[2]:.2f}, "
            f"processor time {ratios[3]:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--naive", default="", help="serve this model folder naively")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    if given.naive:
        serve_naively(given.naive, given.port)
    else:
        compare()
