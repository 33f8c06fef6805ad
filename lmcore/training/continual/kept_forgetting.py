"""Reports on forgetting that a workspace keeps."""

import json
import shutil
import time
from pathlib import Path

import pandas as pd

from lmcore.errors import StorageError, UnknownError
from lmcore.settings import Workspace
from lmcore.storage import FINISHED, whole_folder, write_json
from lmcore.training.continual.forgetting import Forgetting
from lmcore.types import ModelRef


def save_forgetting(workspace: Workspace, found: Forgetting) -> None:
    """Keep a report under its id; an earlier one of the same id goes.

    Raises:
        StorageError: the disk is full or refuses.
    """
    target = _folder(workspace) / found.id
    shutil.rmtree(target, ignore_errors=True)
    facts = {
        "before": found.before,
        "after": found.after,
        "task": found.task,
        "parameters": dict(found.parameters),
        "created": time.time(),
    }
    with whole_folder(target) as folder:
        found.figures.to_parquet(folder / "figures.parquet", index=False)
        found.slices.to_parquet(folder / "slices.parquet", index=False)
        write_json(folder / "forgetting.json", facts)


def load_forgetting(workspace: Workspace, identifier: str) -> Forgetting:
    """Return a kept report.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    known = {path.parent.name: path.parent for path in _folder(workspace).glob(f"{FINISHED}/forgetting.json")}
    if identifier not in known:
        raise UnknownError("forgetting report", identifier, known)
    folder = known[identifier]
    try:
        facts = json.loads((folder / "forgetting.json").read_text(encoding="utf-8"))
        frames = [pd.read_parquet(folder / f"{name}.parquet") for name in ("figures", "slices")]
        return Forgetting(
            identifier, facts["before"], facts["after"], facts["task"], frames[0], frames[1], facts["parameters"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The forgetting report {identifier} is damaged: measure it again.") from error


def kept_forgetting(workspace: Workspace, after: "str | ModelRef") -> list[str]:
    """Return the ids of the kept reports on a version, the newest first; damaged ones are passed over."""
    found = []
    for path in _folder(workspace).glob(f"{FINISHED}/forgetting.json"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["after"] == str(after):
                found.append((float(facts["created"]), path.parent.name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [identifier for _, identifier in sorted(found, reverse=True)]


def _folder(workspace: Workspace) -> Path:
    return workspace.results / "forgetting"
