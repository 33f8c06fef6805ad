"""What the prediction server answered: one record a request, without its texts."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lmcore.errors import StorageError
from lmcore.settings import Workspace

if TYPE_CHECKING:
    import pandas as pd

KEPT_REQUESTS = 500_000
_TRIM_EVERY = 10_000
_BUSY_MS = 5000
_OK = 200
_logger = logging.getLogger(__name__)
_TABLE = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, latency_ms REAL NOT NULL, texts INTEGER NOT NULL,
    status INTEGER NOT NULL, version TEXT NOT NULL, labels TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS requests_time ON requests (time);
"""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One answered request.

    Attributes:
        time: when it came, in seconds since 1970.
        latency_ms: time until its predictions were there, in milliseconds.
        texts: how many texts it had.
        status: the HTTP status of its answer.
        version: which model version answered.
        labels: predicted label to its count.
    """

    time: float
    latency_ms: float
    texts: int
    status: int
    version: str
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ServingStats:
    """What was answered in a stretch of time.

    Attributes:
        since: its start, in seconds since 1970; 0 for all that is kept.
        requests: how many requests came.
        errors: how many of them were answered with another status than 200.
        texts: how many texts were predicted.
        latency_ms: ``p50``, ``p95`` and ``p99`` of the requests that were answered with 200; empty where none was.
        labels: predicted label to its share, 0 to 1; the shares sum to 1.
        versions: model version to its requests.
        minutes: a row for each minute with a request: ``minute`` (UTC), ``requests``, ``errors``, ``texts``,
            ``p50_ms``, ``p95_ms``, ``p99_ms``.
    """

    since: float
    requests: int
    errors: int
    texts: int
    latency_ms: Mapping[str, float]
    labels: Mapping[str, float]
    versions: Mapping[str, int]
    minutes: "pd.DataFrame"

    def to_frame(self) -> "pd.DataFrame":
        """Return requests and latencies by minute, oldest first."""
        return self.minutes


class RequestLog:
    """Writes records; one process writes, any number may read.

    A record is on disk when `add` returns, as far as the death of the process is concerned; what the disk refuses
    is logged once and never keeps an answer back.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file.

        Args:
            path: the database file; None keeps the records in memory.

        Raises:
            StorageError: it cannot be opened.
        """
        self._path = path
        self._lock = threading.Lock()
        self._added = 0
        self._warned = False
        try:
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"The request records {path} cannot be opened: {error}.") from error

    def add(self, records: Iterable[RequestRecord]) -> None:
        """Write records in one transaction."""
        rows = [(r.time, r.latency_ms, r.texts, r.status, r.version, json.dumps(dict(r.labels))) for r in records]
        with self._lock:
            try:
                self._write(rows)
            except sqlite3.Error as error:
                if not self._warned:
                    _logger.warning("Requests are answered but not recorded: %s.", error)
                self._warned = True

    def stats(self, since: float = 0.0) -> ServingStats:
        """Return what was answered since a moment; reading a file keeps no writer waiting."""
        if self._path:
            return _read_file(self._path, since)
        with self._lock:
            return _summarise(self._connection, since)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, rows: list[tuple[float, float, int, int, str, str]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT INTO requests (time, latency_ms, texts, status, version, labels) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            if self._added // _TRIM_EVERY != (self._added + len(rows)) // _TRIM_EVERY:
                self._connection.execute(
                    "DELETE FROM requests WHERE id <= (SELECT MAX(id) FROM requests) - ?", (KEPT_REQUESTS,)
                )
            self._added += len(rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def records_file(workspace: Workspace) -> Path:
    """Return where the server of a workspace keeps its records."""
    return workspace.serving / "requests.db"


def read_stats(workspace: Workspace, since: float | None = None) -> ServingStats:
    """Return what the prediction server answered, whether or not it runs now.

    Args:
        workspace: whose server.
        since: seconds since 1970; None for all that is kept (the last 500 000 requests).

    Raises:
        StorageError: the records cannot be read.
    """
    path = records_file(workspace)
    if path.is_file():
        return _read_file(path, since or 0.0)
    with closing(RequestLog(None)) as nothing:
        return nothing.stats(since or 0.0)


def _read_file(path: Path, since: float) -> ServingStats:
    try:
        source = path.absolute().as_uri() + "?mode=rw"
        with closing(sqlite3.connect(source, uri=True, timeout=_BUSY_MS / 1000)) as connection:
            return _summarise(connection, since)
    except sqlite3.Error as error:
        raise StorageError(f"The request records {path} cannot be read: {error}.") from error


def _summarise(connection: sqlite3.Connection, since: float) -> ServingStats:
    import pandas as pd

    rows = connection.execute(
        "SELECT time, latency_ms, texts, status, version FROM requests WHERE time >= ? ORDER BY time", (since,)
    ).fetchall()
    counts = connection.execute(
        "SELECT each.key, SUM(each.value) FROM requests, json_each(requests.labels) AS each WHERE requests.time >= ? "
        "GROUP BY each.key ORDER BY 2 DESC, 1",
        (since,),
    ).fetchall()
    types = {"time": "float64", "latency_ms": "float64", "texts": "int64", "status": "int64", "version": "str"}
    frame = pd.DataFrame(rows, columns=list(types)).astype(types)
    good = frame[frame["status"] == _OK]
    quantiles = {f"p{q}": float(good["latency_ms"].quantile(q / 100)) for q in (50, 95, 99)} if len(good) else {}
    total = sum(count for _, count in counts)
    return ServingStats(
        since=since,
        requests=len(frame),
        errors=len(frame) - len(good),
        texts=int(good["texts"].sum()),
        latency_ms=quantiles,
        labels={label: count / total for label, count in counts},
        versions={str(name): int(count) for name, count in frame["version"].value_counts().items()},
        minutes=_by_minute(frame, good),
    )


def _by_minute(frame: "pd.DataFrame", good: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    minute = pd.to_datetime(frame["time"] // 60 * 60, unit="s", utc=True).rename("minute")
    requests = frame.groupby(minute).size()
    fine = good.groupby(minute[good.index])
    table = pd.DataFrame(
        {
            "requests": requests,
            "errors": requests - fine.size().reindex(requests.index, fill_value=0),
            "texts": fine["texts"].sum().reindex(requests.index, fill_value=0),
            **{f"p{q}_ms": fine["latency_ms"].quantile(q / 100).reindex(requests.index) for q in (50, 95, 99)},
        }
    )
    return table.rename_axis("minute").reset_index()
