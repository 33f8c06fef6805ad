"""Labels as people give them, on disk at once: one SQLite file for each data set version."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lmcore.errors import InputError, StorageError
from lmcore.identity import NAME_LENGTH
from lmcore.settings import Workspace
from lmcore.storage import disk_errors
from lmcore.types import DatasetRef, check_name

BUSY_SECONDS = 30.0
CLAIM_SECONDS = 300.0
AUTHOR_LENGTH = NAME_LENGTH  # a name that is cut could be another person's

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS given (seq INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL, author TEXT NOT NULL, "
    "cells TEXT, time REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS claims (row INTEGER PRIMARY KEY, author TEXT NOT NULL, until REAL NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """What somebody said about a row.

    Attributes:
        row: the row's id.
        author: who said it.
        cells: column to cell, or None where the row was skipped.
        time: seconds since 1970.
    """

    row: int
    author: str
    cells: Mapping[str, str] | None
    time: float


class LabelStore:
    """The labels of one data set version; each is on disk when the call returns, whole or not at all.

    Several people and processes may use it at once. Reading makes nothing.
    """

    def __init__(self, workspace: Workspace, ref: DatasetRef) -> None:
        self._actor = workspace.actor
        self._path = workspace.labels / check_name(ref.name, "data set name") / f"{int(ref.version)}.db"

    def give(self, row: int, author: str, cells: Mapping[str, str] | None) -> None:
        """Record a label, or with None that the row was skipped, and give the row free.

        Raises:
            AccessError: the workspace's actor may not label.
            InputError: the author's name is not usable.
            StorageError: the disk is full or refuses; nothing is recorded.
        """
        self.give_all({row: cells}, author)

    def give_all(self, labels: Mapping[int, Mapping[str, str] | None], author: str) -> None:
        """Record labels of several rows, all or none; see `give`."""
        name, now = check_author(author), time.time()
        written = [
            (row, name, None if cells is None else json.dumps(dict(cells), ensure_ascii=False), now)
            for row, cells in labels.items()
        ]
        with self._writing() as db:
            db.executemany("INSERT INTO given (row, author, cells, time) VALUES (?, ?, ?, ?)", written)
            db.executemany("DELETE FROM claims WHERE row = ? AND author = ?", [(row, name) for row in labels])

    def undo(self, author: str) -> int | None:
        """Take back what an author said last; returns the row's id, or None where there is nothing to take back."""
        name = check_author(author)
        if not self._is_made():
            return None
        with self._writing() as db:
            last = db.execute(
                "SELECT seq, row FROM given WHERE author = ? ORDER BY seq DESC LIMIT 1", (name,)
            ).fetchone()
            if last is None:
                return None
            db.execute("DELETE FROM given WHERE seq = ?", (last[0],))
        return int(last[1])

    def forget_skips(self, author: str) -> None:
        """Forget which rows an author skipped, so that they are asked again."""
        if self._is_made():
            with self._writing() as db:
                db.execute("DELETE FROM given WHERE author = ? AND cells IS NULL", (check_author(author),))

    def labels(self) -> list[GivenLabel]:
        """Return what each author said last about each row, in the order in which it was said."""
        if not self._is_made():
            return []
        query = (
            "SELECT row, author, cells, time FROM given WHERE seq IN (SELECT MAX(seq) FROM given GROUP BY row, author) "
            "ORDER BY seq"
        )
        with self._reading() as db:
            found = db.execute(query).fetchall()
        return [GivenLabel(row, author, None if c is None else json.loads(c), when) for row, author, c, when in found]

    def claim(self, row: int, author: str) -> bool:
        """Keep a row for an author for five minutes, so that nobody else is asked; says whether it is theirs.

        An author has one row at a time: the one before is given free.
        """
        name, now = check_author(author), time.time()
        with self._writing() as db:
            held = db.execute("SELECT author, until FROM claims WHERE row = ?", (row,)).fetchone()
            if held is not None and held[0] != name and held[1] > now:
                return False
            db.execute("DELETE FROM claims WHERE author = ? OR row = ? OR until <= ?", (name, row, now))
            db.execute("INSERT INTO claims (row, author, until) VALUES (?, ?, ?)", (row, name, now + CLAIM_SECONDS))
        return True

    def claimed(self, author: str) -> frozenset[int]:
        """Return the rows that others are looking at now."""
        if not self._is_made():
            return frozenset()
        with self._reading() as db:
            rows = db.execute(
                "SELECT row FROM claims WHERE author != ? AND until > ?", (check_author(author), time.time())
            ).fetchall()
        return frozenset(int(row) for (row,) in rows)

    def _is_made(self) -> bool:
        """Say whether anything was ever recorded; a first write that was cut short leaves an empty file."""
        return self._path.exists() and self._path.stat().st_size > 0

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with (
            _database_errors(self._path),
            closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as db,
        ):
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that no other writer overlaps; an exception, or the end of the process, undoes it."""
        self._actor.check("label")
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._reading() as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            yield db
            db.execute("COMMIT")


def check_author(author: str) -> str:
    """Return an author's name without white space around it.

    Raises:
        InputError: it is empty, longer than 120 characters, or has characters that cannot be seen.
    """
    name = author.strip()
    if not name or len(name) > AUTHOR_LENGTH or not name.isprintable():
        raise InputError(
            f"The author {name[:80]!r} is not a usable name: take 1 to {AUTHOR_LENGTH} visible characters."
        )
    return name


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses into a `StorageError` that says in one sentence what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            said = f"The disk is full, the label was not saved to {path}: free some space and try again."
        elif code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            said = f"The labels in {path} are damaged: move the file away to begin anew."
        elif code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            said = f"The labels in {path} were in use for more than {BUSY_SECONDS:.0f} seconds: try again."
        else:
            said = f"The labels in {path} cannot be read or written ({error}): check that the folder can be written."
        raise StorageError(said) from error
