"""A training job that is killed goes on as if nothing had happened, and a full disk loses nothing."""

import os
import signal
import time
from contextlib import suppress

import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import StorageError
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.store import JobStore
from lmcore.models import ModelRegistry
from lmcore.settings import Settings
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import load_evaluation
from lmcore.training.fit import train
from lmcore.training.job import TARGET, job_config

pytestmark = pytest.mark.fault

EPOCHS, STEPS = 40, 6
CONFIG = {"method": "full", "epochs": EPOCHS, "batch_size": 16, "learning_rate": 2e-3, "save_steps": 5}


@pytest.fixture
def board(tracked, monkeypatch):
    """A board on a workspace whose workers are gone when the test ends."""
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield JobBoard(tracked)
    store = JobStore(tracked)
    with suppress(StorageError), store.writing() as db:
        for job in store.active(db):
            if job.worker:
                job.worker.kill_group()


@pytest.fixture
def uninterrupted(topics, tiny_ref, tmp_path, tracking_database):
    """What the same training gives when nobody stops it."""
    settings = Settings.from_environment({"LMSCOPE_HOME": str(tmp_path / "other"), "LMSCOPE_DEVICE": "cpu"})
    settings.workspace.folder(settings.workspace.root)
    settings.workspace.tracking.write_bytes(tracking_database)
    return train(TrainConfig("topics", model=str(tiny_ref), **CONFIG), topics, settings=settings)


def losses(board, job_id):
    return {row["step"]: row["value"] for row in board.metrics(job_id) if row["name"] == "loss"}


def until(condition, job=lambda: "", seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in time: {job()}"
        time.sleep(0.01)


def test_a_killed_training_job_ends_as_if_it_had_never_been_killed(board, topics, tiny_ref, tracked, uninterrupted):
    data = str(DatasetStore(tracked).save(topics).ref)
    config = TrainConfig("topics", model=str(tiny_ref), **CONFIG)
    job = board.submit(TARGET, job_config(config, data), title="Train", kind="train")
    (scratch,) = [tracked.checkpoints / job.config["checkpoints"]]
    until(lambda: len(losses(board, job.id)) > 4 * STEPS and list(scratch.glob("checkpoint-*/manifest.json")),
          lambda: board.log(job.id))  # fmt: skip
    os.kill(board.get(job.id).pid, signal.SIGKILL)
    until(lambda: not board.get(job.id).worker.alive())

    job = board.get(job.id)
    assert job.state == JobState.FAILED
    assert job.error.startswith("The worker process ended without a word (killed, or out of memory) at ")
    assert job.can_resume
    assert 0 < job.progress < 1
    assert ModelRegistry(tracked).list() == []
    reached = max(losses(board, job.id))
    assert reached < EPOCHS * STEPS

    job = board.wait(board.resume(job.id).id, 240)
    assert (job.state, job.error) == (JobState.DONE, ""), board.log(job.id)
    assert sorted(losses(board, job.id)) == list(range(1, EPOCHS * STEPS + 1))
    assert job.result["choices"] == uninterrupted.choices
    assert job.result["metrics"] == pytest.approx(dict(uninterrupted.metrics), abs=1e-6)
    assert [str(version.ref) for version in ModelRegistry(tracked).list()] == ["models:/topics/1"]
    found = load_evaluation(tracked, job.result["evaluation"]).predictions
    assert found["score"].tolist() == pytest.approx(uninterrupted.evaluation.predictions["score"].tolist(), abs=1e-4)
    assert not scratch.exists()


FULL_DISK = """
import resource, signal, sys
import pandas as pd
from lmcore.data.dataset import TextDataset
from lmcore.errors import StorageError
from lmcore.settings import Settings
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
import torch, transformers, mlflow, sklearn.linear_model

home, rows, model, method = sys.argv[1:]
data = TextDataset("topics", "text-classification", pd.read_parquet(rows))
settings = Settings.from_environment({"LMSCOPE_HOME": home, "LMSCOPE_DEVICE": "cpu"})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    train(TrainConfig("topics", model=model, method=method, epochs=1, strength=1.0), data, settings=settings)
except StorageError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("method", ["head", "full"])
def test_a_full_disk_leaves_what_was_there(method, topics, tiny_ref, settings, tracked, tmp_path):
    import subprocess
    import sys

    earlier = train(TrainConfig("topics", model=str(tiny_ref), strength=1.0), topics, settings=settings)
    files = {path: path.stat().st_size for path in tracked.models.rglob("*")}
    topics.frame.to_parquet(tmp_path / "rows.parquet")
    command = [
        sys.executable,
        "-c",
        FULL_DISK,
        str(tracked.root),
        str(tmp_path / "rows.parquet"),
        str(tiny_ref),
        method,
    ]
    # A measured process would write its own coverage file, which is larger than this disk.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.stdout.startswith("refused: The disk is full, "), done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("free some space and try again; what was stored before is untouched.")
    assert "Traceback" not in done.stderr
    assert {path: path.stat().st_size for path in tracked.models.rglob("*")} == files
    assert [version.version for version in ModelRegistry(tracked).list()] == [earlier.version.version]
    again = train(TrainConfig("topics", model=str(tiny_ref), strength=1.0), topics, settings=settings)
    assert again.metrics == earlier.metrics
