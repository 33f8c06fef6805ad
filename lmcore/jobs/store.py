"""The job queue on disk: one SQLite file that clients and workers share."""

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from lmcore.errors import StorageError
from lmcore.jobs.job import Job, JobState
from lmcore.jobs.process import ProcessId
from lmcore.settings import Workspace
from lmcore.storage import disk_errors

SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
SILENT_SECONDS = 30.0

# Columns that came after the first release: a queue of before is given them, and one of before reads on beside them.
_ADDED = {"submitted_by": "TEXT NOT NULL DEFAULT ''", "deleting": "INTEGER NOT NULL DEFAULT 0"}
_SCHEMA = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    target TEXT NOT NULL,
    config TEXT NOT NULL,
    needs_bytes INTEGER NOT NULL,
    resumable INTEGER NOT NULL,
    state TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 1,
    created REAL NOT NULL,
    queued REAL NOT NULL,
    started REAL,
    ended REAL,
    heartbeat REAL,
    pid INTEGER,
    pid_started REAL,
    cancel_requested REAL,
    kill_at REAL,
    error TEXT NOT NULL DEFAULT '',
    result TEXT,
    submitted_by TEXT NOT NULL DEFAULT '',
    deleting INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_state ON jobs (state, queued, seq);
"""


class JobStore:
    """Reads and writes job records; safe from several threads and processes, since each use has its own connection."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.path = workspace.jobs / "jobs.db"

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open the database, made where it is missing, outside a transaction.

        Raises:
            StorageError: it is damaged, locked for too long, of another version, or the disk refuses.
        """
        with database_errors(self.path):
            if not self.path.exists():
                self._create()
            address = f"{self.path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA synchronous = NORMAL")
                self._check_version(db)
                _add_columns(db)
                yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open the database in a transaction that no other writer overlaps; an exception undoes it.

        Raises:
            StorageError: as `reading`, or the disk is full.
        """
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db  # closing the connection without a commit takes everything back
            db.execute("COMMIT")

    def add(self, db: sqlite3.Connection, columns: Mapping[str, Any]) -> None:
        """Insert a job."""
        names = ", ".join(columns)
        marks = ", ".join("?" for _ in columns)
        db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", tuple(columns.values()))

    def update(self, db: sqlite3.Connection, job_id: str, **columns: Any) -> None:
        """Set columns of a job."""
        settings = ", ".join(f"{name} = ?" for name in columns)
        db.execute(f"UPDATE jobs SET {settings} WHERE id = ?", (*columns.values(), job_id))

    def remove(self, db: sqlite3.Connection, job_id: str) -> None:
        """Forget a job."""
        db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def find(self, db: sqlite3.Connection, job_id: str) -> Job | None:
        """Return a job, or None where there is none."""
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return self._job(row) if row else None

    def newest(self, db: sqlite3.Connection, kind: str | None, limit: int) -> list[Job]:
        """Return jobs of a kind, or of every kind, the newest first."""
        query = "SELECT * FROM jobs WHERE ?1 IS NULL OR kind = ?1 ORDER BY seq DESC LIMIT ?2"
        return [self._job(row) for row in db.execute(query, (kind, limit))]

    def active(self, db: sqlite3.Connection) -> list[Job]:
        """Return what is running and what is queued, in the order of the queue."""
        query = "SELECT * FROM jobs WHERE state IN ('running', 'queued') ORDER BY queued, seq"
        return [self._job(row) for row in db.execute(query)]

    def _job(self, row: sqlite3.Row) -> Job:
        values = {name: row[name] for name in row.keys() if name in Job.__dataclass_fields__}  # noqa: SIM118
        silent = time.time() - row["heartbeat"] if row["state"] == JobState.RUNNING else 0.0
        values |= {
            "state": JobState(row["state"]),
            "config": json.loads(row["config"]),
            "result": None if row["result"] is None else json.loads(row["result"]),
            "worker": None if row["pid"] is None else ProcessId(row["pid"], row["pid_started"]),
            "silent_seconds": silent if silent > SILENT_SECONDS else 0.0,
            "folder": self.workspace.jobs / row["id"],
            "resumable": bool(row["resumable"]),
            "deleting": bool(row["deleting"]),
        }
        return Job(**values)

    def _check_version(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise StorageError(
                f"{self.path} is not a job queue of this version of LMScope (version {version} in place of "
                f"{SCHEMA_VERSION}): move the file away to begin with an empty queue."
            )

    def _create(self) -> None:
        """Make the whole database under another name and rename it, so that no process ever sees half of it."""
        folder = self.workspace.folder(self.workspace.jobs)
        with disk_errors(self.path), FileLock(folder / ".jobs.lock"):
            if self.path.exists():
                return
            handle, name = tempfile.mkstemp(prefix=".new-", suffix=".db", dir=folder)
            os.close(handle)
            try:
                with closing(sqlite3.connect(name, isolation_level=None)) as db:
                    db.execute("PRAGMA journal_mode = WAL")
                    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
                for suffix in ("-wal", "-shm"):  # left by a database that was deleted alone, they would damage this one
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                Path(name).replace(self.path)
            finally:
                Path(name).unlink(missing_ok=True)


def _add_columns(db: sqlite3.Connection) -> None:
    """Give a queue that an older LMScope made the columns that it lacks."""
    if not _lacking(db):
        return
    db.execute("BEGIN IMMEDIATE")
    for name in _lacking(db):  # asked again, now that no other client adds them at the same time
        db.execute(f"ALTER TABLE jobs ADD COLUMN {name} {_ADDED[name]}")
    db.execute("COMMIT")


def _lacking(db: sqlite3.Connection) -> list[str]:
    present = {row["name"] for row in db.execute("PRAGMA table_info(jobs)")}
    return [name for name in _ADDED if name not in present]


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses into a `StorageError` that says in one sentence what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(_sentence(path, error)) from error


def _sentence(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return f"The disk is full, the job queue {path} could not be written: free some space and try again."
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"The job queue {path} is damaged: move the file away to begin with an empty queue."
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"The job queue {path} was in use for more than {BUSY_SECONDS:.0f} seconds: try again."
    return f"The job queue {path} cannot be read or written ({error}): check that its folder can be written."
