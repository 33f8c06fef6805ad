"""The audit log: whole under many writers, a killed writer and a full disk; and what is recorded."""

import json
import os
import signal
import stat
import subprocess
import sys
from itertools import pairwise

import pytest

from lmcore import audit
from lmcore.access import Actor, Role
from lmcore.audit import AuditLog, audited
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import AccessError, JobError, StorageError
from lmcore.jobs import JobBoard
from lmcore.jobs.selftest import TARGET
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Workspace

ANN = Actor("ann@example.com", "page", Role.OPERATE)

WRITE = """
import sys
from pathlib import Path
from lmcore.access import Actor, Role
from lmcore.audit import AuditLog
from lmcore.settings import Workspace
log = AuditLog(Workspace(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    log.record(Actor(sys.argv[2], "python", Role.EDIT), "keep_data", f"data@{number}", details={"text": "x" * 200})
"""

DIE = """
import os, signal, sys
from pathlib import Path
from lmcore import audit
from lmcore.access import Actor, Role
from lmcore.settings import Workspace
write = os.write
def half(handle, data):
    write(handle, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
audit.os.write = half
audit.AuditLog(Workspace(Path(sys.argv[1]))).record(Actor("eve", "python", Role.EDIT), "promote", "models:/m/1")
"""

FULL = """
import resource, signal, sys
from pathlib import Path
from lmcore.access import Actor, Role
from lmcore.audit import AuditLog
from lmcore.errors import StorageError
from lmcore.settings import Workspace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    AuditLog(Workspace(Path(sys.argv[1]))).record(Actor("eve", "python", Role.EDIT), "promote", "models:/m/1")
except StorageError as error:
    print(error)
"""


def entries(workspace, **wanted):
    return AuditLog(workspace).find(**wanted)


def acting(workspace, role=Role.OPERATE, name="ann@example.com"):
    return Workspace(workspace.root, Actor(name, "page", role))


def test_reading_makes_nothing(workspace):
    assert entries(workspace) == []
    assert not workspace.root.exists()


def test_several_processes_lose_nothing_and_mix_nothing(workspace):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(workspace.root), f"writer{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
    (path,) = workspace.audit.glob("*.jsonl")
    lines = path.read_text().splitlines()
    assert len(lines) == 100
    assert all(json.loads(line)["details"]["text"] == "x" * 200 for line in lines)
    for number in range(4):
        mine = [entry.object for entry in entries(workspace, who=f"writer{number}")]
        assert mine == [f"data@{n}" for n in reversed(range(25))], "the newest first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "addresses are for the owner alone"


@pytest.mark.fault
def test_a_writer_killed_in_the_middle_of_a_line_costs_that_line_alone(workspace):
    log = AuditLog(workspace)
    log.record(ANN, "promote", "models:/m/1")
    died = subprocess.run([sys.executable, "-c", DIE, str(workspace.root)], timeout=60)
    assert died.returncode == -signal.SIGKILL
    (path,) = workspace.audit.glob("*.jsonl")
    assert not path.read_bytes().endswith(b"\n"), "half a line is there"
    assert [entry.object for entry in log.entries()] == ["models:/m/1"]
    log.record(ANN, "demote", "models:/m/1")
    assert [entry.action for entry in log.entries()] == ["demote", "promote"]


@pytest.mark.fault
def test_a_full_disk_is_one_sentence_and_leaves_the_log_as_it_was(workspace):
    AuditLog(workspace).record(ANN, "promote", "models:/m/1")
    (path,) = workspace.audit.glob("*.jsonl")
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(workspace.root), str(len(before) + 20)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("The disk is full"), done
    assert path.read_bytes() == before


def test_full_files_are_followed_by_new_ones_and_the_oldest_goes(workspace, monkeypatch):
    monkeypatch.setattr(audit, "FILE_BYTES", 600)
    monkeypatch.setattr(audit, "FILES_KEPT", 3)
    for number in range(30):
        AuditLog(workspace).record(ANN, "keep_data", f"data@{number}")
    files = sorted(workspace.audit.glob("*.jsonl"))
    assert len(files) == 3
    assert all(path.stat().st_size < 900 for path in files)
    kept = [int(entry.object.partition("@")[2]) for entry in AuditLog(workspace).entries()]
    assert kept[0] == 29
    assert all(later == earlier + 1 for later, earlier in pairwise(kept))
    assert 3 < len(kept) < 30


def test_a_name_with_a_line_break_makes_no_second_entry(workspace):
    name = 'ann\n{"time": 0, "who": "bob"}'
    AuditLog(workspace).record(Actor(name, "page", Role.VIEW), "promote", "x" * 1000)
    (entry,) = AuditLog(workspace).entries()
    assert entry.who == name
    assert len(entry.object) == audit.TEXT_LENGTH


def test_what_is_looked_for(workspace, monkeypatch):
    clock = iter(range(100, 200, 10))
    monkeypatch.setattr(audit.time, "time", lambda: float(next(clock)))
    for name, action in (("Ann", "promote"), ("bob", "promote"), ("ann", "demote")):
        AuditLog(workspace).record(Actor(name, "page", Role.OPERATE), action, "m")
    assert [e.action for e in entries(workspace, who="ANN")] == ["demote", "promote"]
    assert [e.who for e in entries(workspace, action="promote")] == ["bob", "Ann"]
    assert [e.who for e in entries(workspace, since=110)] == ["ann", "bob"]
    assert [e.who for e in entries(workspace, limit=1)] == ["ann"]


def test_what_is_done_fails_or_is_refused_is_recorded(workspace):
    with audited(workspace, "promote", "m", alias="champion") as known:
        known |= {"object": "models:/m/2", "before": 1}
    with pytest.raises(JobError), audited(workspace, "reset"):
        raise JobError("my secret text")
    viewer, ran = acting(workspace, Role.VIEW), []
    with pytest.raises(AccessError), audited(viewer, "reset"):
        ran.append(1)
    assert not ran
    refused, failed, done = entries(workspace)
    assert (refused.who, refused.outcome) == ("ann@example.com", "refused")
    assert (failed.outcome, failed.details) == ("failed", {"error": "JobError"})
    assert (done.object, done.outcome, done.details) == ("models:/m/2", "done", {"alias": "champion", "before": 1})


def test_what_cannot_be_recorded_is_told(workspace):
    workspace.root.mkdir(parents=True)
    workspace.audit.write_text("in the way")
    with pytest.raises(StorageError), audited(workspace, "promote", "m"):
        pass


def test_data_and_aliases_are_recorded_with_their_author_and_without_texts(tracked, topics):
    ann = acting(tracked)
    kept = DatasetStore(ann).save(topics)
    DatasetStore(ann).save(topics)
    DatasetStore(ann).save(split_dataset(kept, seed=3))
    registry = ModelRegistry(ann)
    for number in (1, 2):
        folder = tracked.folder(tracked.models / f"m{number}")
        registry.register("m", folder, task="text-classification", facts={"data": "topics@1", "method": "head"})
        registry.promote("m", number)
    registry.demote("m", "champion")
    found = entries(tracked)
    assert {(entry.who, entry.via) for entry in found} == {("ann@example.com", "page")}
    assert [(entry.action, entry.object) for entry in reversed(found)] == [
        ("keep_data", "topics@1"),
        ("keep_data", "topics@2"),
        ("register", "models:/m/1"),
        ("promote", "models:/m/1"),
        ("register", "models:/m/2"),
        ("promote", "models:/m/2"),
        ("demote", "models:/m/2"),
    ]
    assert found[1].details == {"alias": "champion", "before": 1, "after": 2}
    assert found[0].details == {"alias": "champion", "before": 2, "after": 0}
    assert found[2].details["data"] == "topics@1"
    written = next(tracked.audit.glob("*.jsonl")).read_text()
    assert not any(text in written for text in topics.frame["text"])


def test_a_worker_acts_in_the_name_of_who_submitted_its_job(workspace):
    board = JobBoard(acting(workspace, Role.EDIT))
    job = board.wait(board.submit(TARGET, {"to": 1, "pause": 0}, title="Count", kind="check").id, 60)
    assert job.actor() == Actor("ann@example.com", "job", Role.OPERATE)
    ends = entries(workspace, action="end_job")
    while not ends:  # the worker writes it down just after the job is done
        ends = entries(workspace, action="end_job")
    begun, ended = entries(workspace, action="start_job")[0], ends[0]
    assert (begun.who, begun.via, begun.object, begun.details["title"]) == ("ann@example.com", "page", job.id, "Count")
    assert (ended.who, ended.via, ended.object, ended.outcome) == ("ann@example.com", "job", job.id, "done")


@pytest.mark.fault
def test_a_killed_job_is_recorded_as_failed(workspace):
    board = JobBoard(acting(workspace, Role.EDIT))
    job = board.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Count", kind="check")
    os.killpg(job.pid, signal.SIGKILL)
    board.wait(job.id, 30)
    (ended,) = entries(workspace, action="end_job")
    assert (ended.who, ended.outcome) == ("ann@example.com", "failed")
