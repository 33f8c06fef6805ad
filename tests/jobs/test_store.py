"""The queue's database: made once, whole, and in plain words when something is wrong."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import pytest

from lmcore.access import os_user
from lmcore.errors import StorageError
from lmcore.jobs import JobBoard
from lmcore.jobs import store as store_module
from lmcore.jobs.selftest import TARGET
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace

CREATE = """
import sys, time
from pathlib import Path
from lmcore.jobs.store import JobStore
from lmcore.settings import Workspace
root = Path(sys.argv[1])
store = JobStore(Workspace(root / "home"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(5):
    with store.writing() as db:
        store.add(db, dict(id=f"{sys.argv[2]}-{number}", kind="k", title="t", target="t", config="{}", needs_bytes=0,
                           resumable=1, state="done", created=0, queued=0))
"""


def test_four_processes_that_create_it_together_all_succeed(tmp_path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 4, said
    store = JobStore(Workspace(tmp_path / "home"))
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 20
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    leftovers = [path.name for path in store.path.parent.iterdir() if path.name.startswith(".new-")]
    assert leftovers == []


def retitle(store, job_id, title, then=None, before=""):
    with store.writing() as db:
        if before:
            db.execute(before)
        store.update(db, job_id, title=title)
        if then:
            raise then


def test_an_exception_takes_a_transaction_back(store, add_running):
    job = add_running()
    with pytest.raises(KeyError):
        retitle(store, job.id, "Changed", then=KeyError)
    with store.reading() as db:
        assert store.find(db, job.id).title == "A job"


def test_a_full_disk_is_said_and_nothing_is_lost(store, add_running):
    job = add_running()
    with pytest.raises(StorageError, match="disk is full"):
        retitle(store, job.id, "x" * 100_000, before="PRAGMA max_page_count = 1")
    with store.reading() as db:
        assert store.find(db, job.id).title == "A job"


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but a text" * 200, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_a_damaged_file_is_said(store, content):
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged: move the file away"), store.reading():
        pass


@pytest.mark.parametrize("version", [0, 99])
def test_a_file_of_another_version_is_said(store, version):
    store.path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(store.path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("CREATE TABLE other (x)")
    with pytest.raises(StorageError, match=f"version {version} in place of 1"), store.reading():
        pass


def test_a_queue_in_use_for_too_long_is_said(store, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.05)
    with store.writing(), pytest.raises(StorageError, match="was in use"), store.writing():
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"), JobStore(Workspace(tmp_path / "file")).reading():
        pass


def test_a_path_that_is_no_file_is_said(store):
    store.path.mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be read or written"), store.reading():
        pass


def test_what_a_deleted_database_left_behind_does_not_harm_the_next(store, add_running):
    add_running()
    keep = sqlite3.connect(store.path)
    keep.execute("SELECT count(*) FROM jobs").fetchone()
    store.path.unlink()
    with store.reading() as db:
        assert store.newest(db, None, 10) == []
    keep.close()
    with store.reading() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_worker_that_is_not_heard_is_called_silent(store, add_running):
    assert add_running(heartbeat=1.0).silent_seconds > store_module.SILENT_SECONDS


def test_a_worker_that_was_just_heard_is_not(store, add_running):
    assert add_running(heartbeat=time.time()).silent_seconds == 0


def test_a_queue_of_before_names_were_kept_is_read_on(workspace):
    board = JobBoard(workspace)
    job = board.wait(board.submit(TARGET, {"to": 1, "pause": 0}, title="Count", kind="check").id, 60)
    with closing(sqlite3.connect(JobStore(workspace).path)) as db:
        db.execute("ALTER TABLE jobs DROP COLUMN submitted_by")
    old = board.get(job.id)
    assert (old.state, old.title, old.submitted_by) == ("done", "Count", "")
    assert old.actor().name == os_user().name, "a job without a name runs as the owner of the process"
    new = board.submit(TARGET, {"to": 1, "pause": 0}, title="Again", kind="check")
    assert new.submitted_by == workspace.actor.name
    assert board.wait(new.id, 60).state == "done"


def test_a_queue_of_before_deletions_were_marked_is_read_on(workspace, add_running):
    job = add_running(state="cancelled", ended=3.0)
    with closing(sqlite3.connect(JobStore(workspace).path)) as db:
        db.execute("ALTER TABLE jobs DROP COLUMN deleting")
    board = JobBoard(workspace)
    assert board.get(job.id) == job
    assert job.can_resume
    board.delete(job.id)
    assert board.list() == []


def test_several_processes_add_the_column_once(workspace):
    JobBoard(workspace).list()
    path = JobStore(workspace).path
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE jobs DROP COLUMN submitted_by")
    code = (
        "import sys; from pathlib import Path; from lmcore.jobs import JobBoard; from lmcore.settings import Workspace;"
    )
    code += "sys.stdin.readline(); print(len(JobBoard(Workspace(Path(sys.argv[1]))).list()))"
    command = [sys.executable, "-c", code, str(workspace.root)]
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    children = [subprocess.Popen(command, **pipes) for _ in range(2)]
    said = [child.communicate("go\n", timeout=60) for child in children]
    assert [out for out, _ in said] == ["0\n", "0\n"], said
