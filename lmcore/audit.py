"""The audit log: what was done to a workspace, when and by whom; it is only ever added to.

One JSON record a line in files of at most 8 MiB, the newest 32 of which are kept: about a million entries. Texts of data
sets and secrets are never in it.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lmcore.access import Actor
from lmcore.errors import AccessError, StorageError
from lmcore.settings import Workspace
from lmcore.storage import disk_errors

Outcome = Literal["done", "failed", "refused", "cancelled"]
FILE_BYTES = 8 << 20
FILES_KEPT = 32
TEXT_LENGTH = 300
LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done, or tried.

    Attributes:
        time: when it ended, in seconds since 1970.
        who: the person.
        via: where they did it: ``page``, ``command line``, ``python``, or ``job`` for a worker on their behalf.
        action: one of `lmcore.access.ACTIONS`.
        object: what it was done to: a version, a data set, a job.
        outcome: ``done``, ``failed``, ``cancelled``, or ``refused`` where the person's role was not enough.
        details: such as the alias's holder before and after.
    """

    time: float
    who: str
    via: str
    action: str
    object: str
    outcome: str
    details: Mapping[str, str | int | float] = field(default_factory=dict)


class AuditLog:
    """Adds to and reads the log of a workspace; safe from several threads and processes."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._folder = workspace.audit

    def record(
        self,
        actor: Actor,
        action: str,
        subject: str,
        outcome: Outcome = "done",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry; when this returns it is on the disk.

        Raises:
            StorageError: the disk is full or refuses; what was in the log before is untouched.
        """
        plain = {str(name): _plain(value) for name, value in (details or {}).items()}
        entry = Entry(time.time(), _plain(actor.name), actor.via, action, _plain(subject), outcome, plain)
        line = json.dumps(asdict(entry), ensure_ascii=False).encode("utf-8", "replace")
        folder = self._workspace.folder(self._folder)
        with _lock(folder), disk_errors(folder / "log"):
            _append(self._current(), line)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, the newest first; what a crash left of a line is passed over.

        Raises:
            StorageError: a file of the log cannot be read.
        """
        for path in reversed(self._files()):
            try:
                lines = path.read_bytes().split(b"\n")
            except FileNotFoundError:  # it has just made room for a new one
                continue
            except OSError as error:
                raise StorageError(f"The audit log {path} cannot be read ({error.strerror}).") from error
            for line in reversed(lines):
                entry = _read(line)
                if entry is not None:
                    yield entry

    def find(self, *, who: str = "", action: str = "", since: float = 0.0, limit: int = 1000) -> list[Entry]:
        """Return the newest entries that fit, the newest first.

        Args:
            who: a part of the person's name in any letter case; empty for everybody.
            action: one of `lmcore.access.ACTIONS`; empty for all.
            since: seconds since 1970; older ones are passed over.
            limit: how many at most.
        """
        found: list[Entry] = []
        for entry in self.entries():
            if len(found) >= limit:
                break
            if who.lower() in entry.who.lower() and action in ("", entry.action) and entry.time >= since:
                found.append(entry)
        return found

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("log-*.jsonl"))

    def _current(self) -> Path:
        """Return the file to write to; a full one is followed by a new one, and the oldest goes."""
        files = self._files()
        if not files:
            return self._folder / "log-000001.jsonl"
        if files[-1].stat().st_size < FILE_BYTES:
            return files[-1]
        for old in files[: len(files) + 1 - FILES_KEPT]:
            old.unlink(missing_ok=True)
        return self._folder / f"log-{int(files[-1].stem.removeprefix('log-')) + 1:06d}.jsonl"


@contextmanager
def audited(workspace: Workspace, action: str, subject: str = "", **details: Any) -> Iterator[dict[str, Any]]:
    """Do something in the name of the workspace's actor: refused where their role is not enough, and recorded either way.

    Args:
        workspace: what is acted on, and who does it.
        action: one of `lmcore.access.ACTIONS`.
        subject: what it is done to.
        details: what else is worth knowing; short values, no texts and no secrets.

    Yields:
        The details, to which the block may add; ``object`` there takes the place of ``subject``.

    Raises:
        AccessError: the actor may not do it.
        StorageError: it was done and could not be recorded.
    """
    log, actor, known = AuditLog(workspace), workspace.actor, dict(details)
    try:
        actor.check(action)
    except AccessError:
        with suppress(StorageError):  # the refusal stands all the same
            log.record(actor, action, subject, "refused", known)
        raise
    try:
        yield known
    except BaseException as error:
        with suppress(StorageError):  # the first error is the one to tell
            known["error"] = type(error).__name__  # its sentence may quote what the user typed
            log.record(actor, action, str(known.pop("object", subject)), "failed", known)
        raise
    log.record(actor, action, str(known.pop("object", subject)), "done", known)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(value)[:TEXT_LENGTH]


def _read(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _append(path: Path, line: bytes) -> None:
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(handle).st_size
        # What a killed writer left of a line stays a line of its own.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        try:
            _write_all(handle, (b"\n" if torn else b"") + line + b"\n")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=LOCK_SECONDS)
    with disk_errors(folder / ".lock"):
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, which disk_errors would take for the disk's
            raise StorageError(
                f"The audit log {folder} was in use for more than {LOCK_SECONDS:.0f} seconds: try again."
            ) from error
    try:
        yield
    finally:
        lock.release()
