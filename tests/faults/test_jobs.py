"""Jobs whose processes are killed, stopped or left alone: nothing is lost and the state shown is true."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from lmcore.errors import StorageError
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.selftest import TARGET
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace

pytestmark = pytest.mark.fault

CLIENT = """
import sys
from pathlib import Path
from lmcore.jobs import JobBoard
from lmcore.settings import Workspace
board = JobBoard(Workspace(Path(sys.argv[1])), jobs_at_once=2)
print("ready", flush=True)
sys.stdin.readline()
ids = [board.submit("lmcore.jobs.selftest:count", {"to": 2, "pause": 0.01}, title="Count", kind="check").id
       for _ in range(5)]
while not all(board.get(job_id).state.ended for job_id in ids):
    assert sum(job.state == "running" for job in board.list()) <= 2
"""

SUBMITTER = """
import sys
from pathlib import Path
from lmcore.jobs import JobBoard
from lmcore.settings import Workspace
board = JobBoard(Workspace(Path(sys.argv[1])))
print(board.submit("lmcore.jobs.selftest:count", {"to": 10, "pause": 0.1}, title="Count", kind="check").id, flush=True)
sys.stdin.read()
"""

KILLED_WHILE_STARTING = """
import os, sys
from pathlib import Path
from lmcore.jobs import JobBoard, tending
from lmcore.settings import Workspace
start = tending.start_worker
def killed(*given):
    start(*given)
    os.kill(os.getpid(), 9)
tending.start_worker = killed
board = JobBoard(Workspace(Path(sys.argv[1])))
board.submit("lmcore.jobs.selftest:count", {"to": 2, "pause": 0}, title="Count", kind="check")
"""


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path / "home")
    yield place
    store = JobStore(place)
    with suppress(StorageError), store.writing() as db:
        db.execute("DELETE FROM jobs WHERE state = 'queued'")
        for job in store.active(db):
            job.worker.kill_group()


@pytest.fixture
def board(workspace):
    return JobBoard(workspace)


def submit(board, to, pause, title="Count"):
    return board.submit(TARGET, {"to": to, "pause": pause}, title=title, kind="check")


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def counting(board, job, least=2):
    """Wait until the job has counted some way, and return it."""
    until(lambda: len(board.metrics(job.id)) >= least and board.get(job.id).progress > 0)
    return board.get(job.id)


def beginnings(board, job_id):
    return board.log(job_id).count("Attempt 1 begins")


def test_a_killed_worker_is_a_failed_job_that_goes_on_from_its_checkpoint(board):
    job = counting(board, submit(board, to=15, pause=0.1))
    assert job.state == JobState.RUNNING
    os.kill(job.pid, signal.SIGKILL)
    until(lambda: not job.worker.alive())
    job = board.get(job.id)
    assert job.state == JobState.FAILED
    assert job.error.startswith("The worker process ended without a word (killed, or out of memory) at ")
    assert job.error.endswith("resume it to go on from its last checkpoint.")
    assert 0 < job.progress < 1
    assert job.ended is not None
    job = board.wait(board.resume(job.id).id, 60)
    assert (job.state, job.attempt, job.error) == (JobState.DONE, 2, "")
    assert job.result["first"] > 1
    assert [row["step"] for row in board.metrics(job.id)] == list(range(1, 16))


def test_a_killed_worker_makes_room_for_the_next_job(board):
    job = counting(board, submit(board, to=1000, pause=0.05))
    following = submit(board, to=1, pause=0, title="Next")
    os.kill(job.pid, signal.SIGKILL)
    assert board.wait(following.id, 30).state == JobState.DONE
    assert board.get(job.id).state == JobState.FAILED


def test_a_worker_that_does_not_stop_is_killed_after_the_grace_period(workspace):
    board = JobBoard(workspace, grace_seconds=0.3)
    job = submit(board, to=2, pause=60)  # it asks whether to stop only once a minute
    until(lambda: board.get(job.id).message.startswith("Counting"))
    asked = time.monotonic()
    board.cancel(job.id)
    job = board.wait(job.id, 30)
    assert time.monotonic() - asked >= 0.3
    assert job.state == JobState.CANCELLED
    assert job.message == "Cancelled: its worker did not stop in time and was killed."
    assert not job.worker.alive()


def test_a_stopped_worker_is_killed_by_a_client(workspace):
    board = JobBoard(workspace, grace_seconds=0.3)
    job = counting(board, submit(board, to=1000, pause=0.05))
    os.kill(job.pid, signal.SIGSTOP)  # neither its signal handler nor its heartbeat can run
    board.cancel(job.id)
    assert board.wait(job.id, 30).state == JobState.CANCELLED
    assert not job.worker.alive()


def test_a_worker_that_does_not_stop_ends_itself_when_nobody_looks(workspace):
    board = JobBoard(workspace, grace_seconds=0.3)
    job = submit(board, to=2, pause=60)
    until(lambda: board.get(job.id).message.startswith("Counting"))
    board.cancel(job.id)
    until(lambda: not job.worker.alive())  # reads the process table alone
    assert board.get(job.id).state == JobState.CANCELLED


def test_two_clients_run_each_job_exactly_once(workspace, board):
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(workspace.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for client in clients:
        assert client.stdout.readline() == "ready\n"
    for client in clients:
        client.stdin.write("go\n")
        client.stdin.flush()
    said = [client.communicate(timeout=90)[1] for client in clients]
    assert [client.returncode for client in clients] == [0, 0], said
    jobs = board.list()
    assert Counter(job.state for job in jobs) == {JobState.DONE: 10}
    assert [beginnings(board, job.id) for job in jobs] == [1] * 10


def test_a_job_outlives_the_client_that_submitted_it(workspace):
    command = [sys.executable, "-c", SUBMITTER, str(workspace.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        job_id = client.stdout.readline().strip()
        client.kill()
    adopted = JobBoard(workspace)
    assert adopted.get(job_id).state == JobState.RUNNING
    job = adopted.wait(job_id, 30)
    assert (job.state, job.attempt) == (JobState.DONE, 1)


def test_another_board_adopts_a_running_job(workspace):
    job = counting(JobBoard(workspace), submit(JobBoard(workspace), to=10, pause=0.1))
    assert job.state == JobState.RUNNING
    assert JobBoard(workspace).wait(job.id, 30).result == {"first": 1, "last": 10}


def test_a_client_killed_while_it_starts_a_worker_leaves_the_job_queued(workspace, board):
    assert (
        subprocess.run([sys.executable, "-c", KILLED_WHILE_STARTING, str(workspace.root)], check=False).returncode == -9
    )
    (job_id,) = [path.name for path in workspace.jobs.iterdir() if path.is_dir()]
    until(lambda: "is not this process's to run" in board.log(job_id))
    assert board.wait(job_id, 30).state == JobState.DONE
    assert beginnings(board, job_id) == 1


def test_a_process_number_used_again_is_not_taken_for_the_worker(workspace, board):
    job = counting(board, submit(board, to=1000, pause=0.05))
    os.kill(job.pid, signal.SIGKILL)
    store = JobStore(workspace)
    own = psutil.Process()
    with store.writing() as db:  # as if the number had come round to this process
        store.update(db, job.id, pid=own.pid)
    assert board.get(job.id).state == JobState.FAILED
    board.cancel(job.id)
    assert own.is_running()


def test_an_ended_worker_leaves_no_zombie(board):
    job = board.wait(submit(board, to=1, pause=0).id, 30)
    until(lambda: not psutil.pid_exists(job.pid))
    assert board.get(job.id).state == JobState.DONE


def test_a_job_that_hangs_is_ended_with_a_reason(workspace, monkeypatch):
    monkeypatch.setenv("LMSCOPE_STALLED_SECONDS", "1")
    board = JobBoard(workspace)
    job = board.submit(TARGET, {"to": 2, "pause": 600.0}, title="Count", kind="check")
    ended = board.wait(job.id, 60)
    assert ended.state == JobState.FAILED
    assert "The job did nothing for 0 minutes" in ended.error
    assert ended.error.endswith("was ended; resume it to go on from its last checkpoint.")
    assert ended.can_resume
    until(lambda: not job.worker.alive())
    assert "selftest.py" in board.log(job.id), "the log says where it hung"
