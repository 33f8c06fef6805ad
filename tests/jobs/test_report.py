"""What a worker says and hears."""

import time
from contextlib import contextmanager

import numpy as np
import pytest

from lmcore.errors import Cancelled, StorageError
from lmcore.jobs.metrics import read_metrics
from lmcore.jobs.report import JobReport
from lmcore.jobs.store import JobStore


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def stored(store, job):
    with store.reading() as db:
        return store.find(db, job.id)


class CountingStore(JobStore):
    """Counts the transactions."""

    writes = 0

    @contextmanager
    def writing(self):
        self.writes += 1
        with super().writing() as db:
            yield db


def test_progress_reaches_the_queue(store, add_running):
    job = add_running()
    with JobReport(store, job) as report:
        report.progress(0.5, "Half")
        until(lambda: stored(store, job).message == "Half")
    assert stored(store, job).progress == 0.5
    assert stored(store, job).heartbeat > 1e9


@pytest.mark.parametrize(("given", "kept"), [(-1, 0.0), (7, 1.0), (float("nan"), 0.0), (np.float32(0.25), 0.25)])
def test_progress_stays_between_0_and_1(store, add_running, given, kept):
    report = JobReport(store, add_running())
    report.progress(given)
    assert report.fraction == kept


def test_much_progress_is_few_writes(workspace, add_running):
    store = CountingStore(workspace)
    job = add_running()
    with JobReport(store, job) as report:
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            report.progress(0.5, "Busy")
    assert 1 <= store.writes <= 5


def test_a_long_step_keeps_beating(workspace, add_running, monkeypatch):
    monkeypatch.setattr("lmcore.jobs.report.HEARTBEAT_SECONDS", 0.3)
    store = CountingStore(workspace)
    with JobReport(store, add_running()):
        until(lambda: store.writes >= 3)


def test_a_request_in_the_queue_is_heard(store, add_running):
    job = add_running()
    with JobReport(store, job) as report:
        report.check()
        with store.writing() as db:
            store.update(db, job.id, cancel_requested=time.time(), kill_at=time.time() + 1000)
        report.progress(0.1)
        with pytest.raises(Cancelled):
            until(lambda: report.check())


def test_a_request_from_before_the_start_is_heard(store, add_running):
    report = JobReport(store, add_running(cancel_requested=1.0))
    with pytest.raises(Cancelled):
        report.check()


@pytest.mark.parametrize("change", [{"attempt": 2}, {"state": "failed"}, {"pid": 1}])
def test_an_attempt_that_was_given_up_stops_and_writes_nothing(store, add_running, change):
    job = add_running()
    with store.writing() as db:
        store.update(db, job.id, **change)
    with JobReport(store, job) as report, pytest.raises(Cancelled):
        until(lambda: report.check())
    assert stored(store, job).progress == 0


def test_a_heartbeat_that_cannot_be_written_does_not_stop_the_work(workspace, add_running, caplog):
    class Refusing(JobStore):
        @contextmanager
        def writing(self):
            raise StorageError("The disk is full.")
            yield

    with JobReport(Refusing(workspace), add_running()) as report:
        until(lambda: "The disk is full." in caplog.text)
        report.check()


def test_metrics_are_kept_as_numbers(store, add_running):
    job = add_running()
    JobReport(store, job).metrics(3, {"loss": np.float32(0.5)})
    assert [(row["step"], row["name"], row["value"]) for row in read_metrics(job.metrics_file)] == [(3, "loss", 0.5)]
