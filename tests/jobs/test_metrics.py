"""The file of metrics."""

import math

import pytest

from lmcore.errors import StorageError
from lmcore.jobs.metrics import append_metrics, read_metrics


def values(path):
    return {(row["step"], row["name"]): row["value"] for row in read_metrics(path)}


def test_what_was_recorded_is_read_in_order(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, 1, {"loss": 0.5, "accuracy": 0.25})
    append_metrics(path, 2, {"loss": 0.4})
    assert values(path) == {(1, "loss"): 0.5, (1, "accuracy"): 0.25, (2, "loss"): 0.4}
    assert [row["step"] for row in read_metrics(path)] == [1, 1, 2]
    assert all(row["time"] > 1e9 for row in read_metrics(path))


def test_a_step_recorded_again_counts_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for value in (0.5, 0.3):
        append_metrics(path, 1, {"loss": value})
    assert values(path) == {(1, "loss"): 0.3}


def test_a_torn_record_spoils_only_itself(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, 1, {"loss": 0.5})
    with path.open("a") as file:
        file.write('\n{"step": 2, "ti')
    append_metrics(path, 3, {"loss": 0.3})
    assert values(path) == {(1, "loss"): 0.5, (3, "loss"): 0.3}


def test_a_value_that_is_not_a_number_stays_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, 1, {"f1": float("nan")})
    assert math.isnan(values(path)[1, "f1"])


def test_nothing_recorded_is_no_rows(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_a_disk_that_refuses_is_said(tmp_path):
    with pytest.raises(StorageError):
        append_metrics(tmp_path / "absent" / "metrics.jsonl", 1, {"loss": 0.5})
