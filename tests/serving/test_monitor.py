import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from lmcore.errors import StorageError
from lmcore.serving import monitor, read_stats
from lmcore.serving.monitor import RequestLog, RequestRecord, records_file

START = 1_700_000_040.0


@pytest.fixture
def log(workspace):
    made = RequestLog(records_file(workspace))
    yield made
    made.close()


def record(offset, latency=10.0, texts=1, status=200, version="models:/m/1", **labels):
    return RequestRecord(START + offset, latency, texts, status, version, labels)


def test_an_empty_workspace_has_empty_stats_and_stays_empty(workspace):
    stats = read_stats(workspace)
    assert (stats.requests, stats.errors, stats.texts) == (0, 0, 0)
    assert stats.latency_ms == stats.labels == stats.versions == {}
    assert stats.to_frame().empty
    assert list(stats.to_frame().columns) == ["minute", "requests", "errors", "texts", "p50_ms", "p95_ms", "p99_ms"]
    assert not workspace.root.exists()


def test_counts_quantiles_and_shares(log, workspace):
    log.add([record(0, float(ms), good=3, bad=1) for ms in range(1, 101)])
    log.add([record(1, 5000.0, texts=0, status=503), record(2, 1.0, version="models:/m/2", good=100)])
    stats = read_stats(workspace)
    assert (stats.requests, stats.errors, stats.texts) == (102, 1, 101)
    times = [*range(1, 101), 1.0]
    assert stats.latency_ms == pytest.approx({f"p{q}": np.percentile(times, q) for q in (50, 95, 99)})
    assert dict(stats.labels) == pytest.approx({"good": 0.8, "bad": 0.2})
    assert dict(stats.versions) == {"models:/m/1": 101, "models:/m/2": 1}
    assert log.stats().labels == stats.labels


def test_by_minute(log, workspace):
    log.add([record(0, 10.0), record(59, 30.0), record(60, 7.0), record(61, 0.0, 0, 422), record(300, 0.0, 0, 503)])
    frame = read_stats(workspace).to_frame()
    assert frame["minute"].dt.strftime("%H:%M").tolist() == ["22:14", "22:15", "22:19"]
    assert frame["requests"].tolist() == [2, 2, 1]
    assert frame["errors"].tolist() == [0, 1, 1]
    assert frame["texts"].tolist() == [2, 1, 0]
    assert frame["p50_ms"].tolist()[:2] == [20.0, 7.0]
    assert np.isnan(frame["p50_ms"].iloc[2])


def test_since(log, workspace):
    log.add([record(0, a=1), record(10, b=1)])
    stats = read_stats(workspace, since=START + 5)
    assert (stats.since, stats.requests, dict(stats.labels)) == (START + 5, 1, {"b": 1.0})


def test_only_the_newest_are_kept(log, workspace, monkeypatch):
    monkeypatch.setattr(monitor, "KEPT_REQUESTS", 100)
    monkeypatch.setattr(monitor, "_TRIM_EVERY", 50)
    for start in range(0, 300, 10):
        log.add([record(start + i) for i in range(10)])
    stats = read_stats(workspace)
    assert stats.requests == 100
    assert stats.minutes["minute"].iloc[0].timestamp() >= START + 180


def test_records_in_memory_need_no_workspace():
    log = RequestLog(None)
    log.add([record(0, a=1)])
    assert log.stats().requests == 1
    log.close()


def test_a_disk_that_refuses_costs_one_warning(log, workspace, caplog):
    log._connection.execute("PRAGMA query_only=1")
    log.add([record(0)])
    log.add([record(1)])
    assert len(caplog.records) == 1
    log._connection.execute("PRAGMA query_only=0")
    log.add([record(2)])
    assert read_stats(workspace).requests == 1


def test_a_damaged_file_is_one_sentence(workspace):
    workspace.folder(workspace.serving)
    records_file(workspace).write_bytes(b"nonsense" * 1000)
    with pytest.raises(StorageError, match="cannot be read"):
        read_stats(workspace)
    with pytest.raises(StorageError, match="cannot be opened"):
        RequestLog(records_file(workspace))


def test_half_a_million_requests_are_summarised_in_seconds(log, workspace):
    log.add([record(number / 50, 10.0 + number % 7, good=1) for number in range(100_000)])
    started = time.monotonic()
    assert read_stats(workspace).requests == 100_000
    assert time.monotonic() - started < 10


@pytest.mark.fault
def test_a_killed_writer_loses_nothing(workspace):
    code = (
        "import os, sys; from pathlib import Path; from lmcore.settings import Workspace;"
        "from lmcore.serving.monitor import *;"
        "log = RequestLog(records_file(Workspace(Path(sys.argv[1]))));"
        "[log.add([RequestRecord(float(i), 1.0, 1, 200, 'v', {'a': 1})]) for i in range(200)];"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.root)], timeout=60, check=False)
    assert done.returncode == -9
    assert read_stats(workspace).requests == 200
    log = RequestLog(records_file(workspace))
    log.add([record(0)])
    log.close()
    with sqlite3.connect(records_file(workspace)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert read_stats(workspace).requests == 201
