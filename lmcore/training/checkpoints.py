"""Which checkpoints are whole: a manifest of hashes is written last, and only what it confirms is used."""

import json
import os
from pathlib import Path

from lmcore.fingerprint import fingerprint_file
from lmcore.storage import disk_errors, sync_tree, write_json

MANIFEST = "manifest.json"
_PREFIX = "checkpoint-"


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
