"""Writing to disk so that a crash or a full disk never leaves half a thing behind."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lmcore.errors import LmError, StorageError

# What a crash may leave behind begins with a dot; this glob pattern passes it over.
FINISHED = "[!.]*"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Writers in Rust and C++ (safetensors, tokenizers, torch) report a full disk as an exception of their own kind.
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large", "inline_container")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Fill a new folder that appears under its name only once it is complete and on disk.

    Args:
        target: the final folder; it must not exist, its parent is made where missing.

    Yields:
        The temporary folder beside it, to be filled.

    Raises:
        StorageError: the disk is full or refuses; nothing is left behind and what was stored before is untouched.
        FileExistsError: another process finished the same folder first.
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        with disk_errors(target):
            yield temporary
            sync_tree(temporary)
            temporary.chmod(0o755)
            _rename_new(temporary, target)
            _sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Replace a file at once: readers see the old content or the new one.

    Yields:
        The file to be filled.

    Raises:
        StorageError: the disk is full or refuses; the old content stays.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a small text file at once, as `whole_file` does.

    Raises:
        StorageError: the disk is full or refuses; the old content stays.
    """
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file at once, as `write_text` does."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True))


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `StorageError` that says so in one sentence."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        raise StorageError(f"{path} cannot be written ({error.strerror or error}).") from error
    except Exception as error:
        if isinstance(error, LmError) or not any(text in str(error) for text in _FULL_TEXTS):
            raise
        raise _full(path) from error


def sync_tree(folder: Path, *, deep: bool = True) -> None:
    """Flush every file and folder below ``folder`` to disk, or the names in it alone."""
    for path in sorted(folder.rglob("*")) if deep else ():
        _sync(path)
    _sync(folder)


def _full(path: Path) -> StorageError:
    return StorageError(
        f"The disk is full, {path.parent.name}/{path.name} was not saved: free some space and try again; what was stored "
        "before is untouched."
    )


def _rename_new(temporary: Path, target: Path) -> None:
    if target.exists():
        raise FileExistsError(target)
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
            raise FileExistsError(target) from error
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
