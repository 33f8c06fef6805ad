"""Checkpoints that are whole or not there.

One is written in a folder of its own and flushed, a manifest of its hashes is added, and only then it gets its name; only
what the manifest confirms is taken up.
"""

import json
import os
import shutil
from pathlib import Path

from lmcore.fingerprint import fingerprint_file
from lmcore.storage import disk_errors, sync_tree, write_json

MANIFEST = "manifest.json"
BEGUN = ".begun"
KEPT = 2
_PREFIX = "checkpoint-"


def begun_folder(root: Path) -> Path:
    """Return the folder below ``root`` in which checkpoints are written."""
    return root / BEGUN


def complete(root: Path, step: int) -> None:
    """Give a checkpoint that was written in the folder of those begun its name, and delete all but the two newest.

    Raises:
        StorageError: the disk is full or refuses; the checkpoint then does not count, and earlier ones stay.
    """
    written, target = begun_folder(root) / f"{_PREFIX}{step}", root / f"{_PREFIX}{step}"
    seal(written)
    with disk_errors(target):
        shutil.rmtree(target, ignore_errors=True)  # one that was damaged, or this run would not be here again
        written.rename(target)
        sync_tree(root, deep=False)
    for old in sorted(root.glob(f"{_PREFIX}*"), key=_step, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def forget_begun(root: Path) -> None:
    """Delete what an attempt that was killed left of a checkpoint."""
    shutil.rmtree(begun_folder(root), ignore_errors=True)


def seal(folder: Path) -> None:
    """Flush a finished checkpoint to disk and write the manifest that marks it as whole.

    Raises:
        StorageError: the disk is full or refuses; the checkpoint then does not count.
    """
    with disk_errors(folder):
        sync_tree(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
        hashes = {str(path.relative_to(folder)): fingerprint_file(path) for path in files}
    write_json(folder / MANIFEST, hashes)


def is_whole(folder: Path) -> bool:
    """Say whether every file that the manifest lists is there with the content it had."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(hashes) and all(fingerprint_file(folder / name) == value for name, value in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def newest_whole(root: Path) -> Path | None:
    """Return the whole checkpoint with the highest step below ``root``, or None."""
    for folder in sorted(root.glob(f"{_PREFIX}*"), key=_step, reverse=True):
        if folder.is_dir() and is_whole(folder):
            return folder
    return None


def _step(folder: Path) -> int:
    text = os.path.basename(folder)[len(_PREFIX) :]
    return int(text) if text.isdigit() else -1
