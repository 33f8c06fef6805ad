"""The one way to MLflow: a client of the workspace's own SQLite file, or of a tracking server.

MLflow is not imported, and nothing is made, where only reading is asked for and nothing was ever stored.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lmcore.errors import StorageError
from lmcore.settings import Workspace
from lmcore.storage import disk_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_SECONDS = 120.0
# MLflow reads these from the environment alone. Without a pool no connection outlives a file that was deleted and
# made again; the limits keep a dead server from holding up a training for minutes.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def reading_client(workspace: Workspace, tracking_uri: str = "") -> "MlflowClient | None":
    """Return an MLflow client for runs and the registry, or None where nothing was ever stored.

    Args:
        workspace: holds the SQLite file that is used where no server is named.
        tracking_uri: an MLflow server, or empty.

    Raises:
        StorageError: the file cannot be read, or the server's address is unusable.
    """
    if not tracking_uri and not has_database(workspace):
        return None
    return _client(tracking_uri or _sqlite_uri(workspace.tracking))


def writing_client(workspace: Workspace, tracking_uri: str = "") -> "MlflowClient":
    """Return an MLflow client as `reading_client` does, and make the SQLite file where it is missing.

    Raises:
        StorageError: the file cannot be made or read, or the server's address is unusable.
    """
    if not tracking_uri and not has_database(workspace):
        _create_database(workspace)
    return _client(tracking_uri or _sqlite_uri(workspace.tracking))


def has_database(workspace: Workspace) -> bool:
    """Say whether anything was ever tracked or registered in the workspace's own file."""
    path = workspace.tracking
    return path.is_file() and path.stat().st_size > 0


def artifact_folder(workspace: Workspace) -> Path:
    """Return the folder of the workspace that MLflow would put artifacts into."""
    return workspace.root / "artifacts"


@contextmanager
def registry_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace's lock for steps that two processes must not take at once.

    Raises:
        StorageError: another process holds it for more than two minutes, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    workspace.folder(workspace.root)
    lock = FileLock(workspace.tracking.with_suffix(".lock"), timeout=LOCK_SECONDS)
    with disk_errors(workspace.tracking):
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, which disk_errors would take for the disk's
            raise StorageError(
                f"Another process holds {lock.lock_file} for more than {LOCK_SECONDS:.0f} seconds: end it and try again."
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def tracking_errors(what: str) -> Iterator[None]:
    """Turn MLflow's errors into a `StorageError` that says what could not be done.

    Args:
        what: the past participle for "The tracking store cannot be …".
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = re.sub(r"//[^/@\s]+@", "//", lines[0])[:300].rstrip(".")
        raise StorageError(f"The tracking store cannot be {what}: {reason}.") from error


def _client(uri: str) -> "MlflowClient":
    _prepare()
    from mlflow import MlflowClient

    with tracking_errors("opened"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _create_database(workspace: Workspace) -> None:
    """Make the file under a temporary name and rename it, so that it exists only once it is whole."""
    with registry_lock(workspace):
        if has_database(workspace):
            return
        _prepare()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        temporary = workspace.tracking.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        with tracking_errors("made"):
            SqlAlchemyStore(_sqlite_uri(temporary), artifact_folder(workspace).as_uri())
        with disk_errors(workspace.tracking):
            with closing(sqlite3.connect(temporary)) as connection:
                # Readers of a page and a training that writes do not wait for each other.
                connection.execute("PRAGMA journal_mode=WAL")
            temporary.replace(workspace.tracking)


def _prepare() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401  (its import sets the loggers that are made quiet here)

    for name in ("mlflow", "alembic"):
        # Every error of theirs reaches the caller as one sentence; their log would add a traceback to it.
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _sqlite_uri(path: Path) -> str:
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
