"""Telling processes apart and ending them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from lmcore.jobs.process import ProcessId, child_environment, start_worker

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper():
    child = subprocess.Popen(SLEEP, start_new_session=True)
    yield child, ProcessId(child.pid, psutil.Process(child.pid).create_time())
    child.kill()
    child.wait()


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_the_own_process_is_alive_and_holds_memory(own_process):
    assert own_process.alive()
    assert own_process.is_own()
    assert own_process.resident_bytes() > 1 << 20


def test_a_number_used_again_is_another_process(own_process):
    earlier = replace(own_process, started=own_process.started - 100)
    assert not earlier.alive()
    assert not earlier.is_own()
    assert earlier.resident_bytes() == 0


def test_a_small_correction_of_the_clock_changes_nothing(own_process):
    assert replace(own_process, started=own_process.started + 1).alive()


def test_a_zombie_is_dead(sleeper):
    child, process = sleeper
    os.kill(child.pid, 9)
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not process.alive()


def test_another_process_with_the_number_is_not_ended(sleeper):
    child, process = sleeper
    other = replace(process, started=process.started - 100)
    other.terminate()
    other.kill_group()
    assert child.poll() is None
    assert process.alive()


@pytest.mark.parametrize(("end", "code"), [(ProcessId.terminate, -15), (ProcessId.kill_group, -9)])
def test_a_process_is_ended(sleeper, end, code):
    child, process = sleeper
    end(process)
    assert child.wait(10) == code


def test_ending_what_has_ended_does_nothing(sleeper):
    child, process = sleeper
    child.kill()
    child.wait()
    process.terminate()
    process.kill_group()
    assert not process.alive()
    assert child.returncode == -signal.SIGKILL, "by the first kill, and nothing after it"


def test_the_end_of_a_process_is_waited_for_but_not_for_ever(sleeper):
    child, process = sleeper
    assert not process.ended_within(0.05)
    child.send_signal(signal.SIGKILL)
    assert process.ended_within(10)
    assert not process.alive()
    assert process.ended_within(0), "what has ended has ended"


def test_the_owner_decides_how_threads_wait(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert child_environment()["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert child_environment()["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_worker_leads_its_own_session_and_leaves_no_zombie(tmp_path):
    log = tmp_path / "job" / "log.txt"
    worker = start_worker(tmp_path, "20260101-000000-abcdef", 1, log)
    with psutil.Process(worker.pid).oneshot():
        assert os.getsid(worker.pid) == worker.pid
    until(lambda: not psutil.pid_exists(worker.pid))
    assert "is not this process's to run" in log.read_text()
