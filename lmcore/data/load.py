"""Loading a data set from wherever it is."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import NamedTuple

import pandas as pd

from lmcore.data.cells import encodable, text_frame
from lmcore.data.columns import canonical_frame, known_names
from lmcore.data.dataset import TextDataset
from lmcore.data.header import HeaderChoice
from lmcore.data.hub import read_hub
from lmcore.data.read import LIMIT_BYTES, Reader, base_name, read_table
from lmcore.data.samples import read_sample
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.methods import load_target
from lmcore.settings import Workspace
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import NAME, DatasetRef, check_name

_STORED = re.compile(rf"{NAME.pattern}@\d+(:\w+)?")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a user sent: its name, which is never opened, and its content."""

    name: str
    content: bytes


def load_dataset(
    source: "str | Path | DatasetRef | Upload | pd.DataFrame",
    *,
    task: str,
    columns: Mapping[str, str | int] | None = None,
    name: str | None = None,
    header: HeaderChoice = "auto",
    limit_bytes: int = LIMIT_BYTES,
    unlabelled: bool = False,
    workspace: Workspace | None = None,
) -> TextDataset:
    """Load a data set with the columns that a task reads.

    Args:
        source: ``sample:NAME``, ``hub:org/name``, a stored ``name@3`` or ``name@3:test``, an `Upload`, a frame, or the path
            of a CSV, TSV, JSONL, JSON, Parquet, XLSX or CoNLL file, or of a TXT file of a task that has such files (from Python
            and the command line alone).
        task: the task's name.
        columns: the task's column to the file's, by name or by position from 0; positions say that there is no header.
            What is left out is found by the names that the task knows.
        name: what to call it; by default the file's name, made safe.
        header: whether the first row names the columns; ``auto`` guesses.
        limit_bytes: the largest file that is read.
        unlabelled: take a file without the column of labels, tags or answers: it is empty then, to be filled by labelling.
        workspace: where stored data sets are.

    Returns:
        The rows, not stored yet unless the source is a stored data set.

    Raises:
        UnknownError: the task, sample or stored data set is not there; the message lists those that are.
        DataError: the file cannot be read, or lacks a column; the message names the file, line, row and column.
        InputError: the name is not usable.
    """
    kind = load_task(task)
    if isinstance(source, DatasetRef) or (isinstance(source, str) and is_stored(source)):
        return _stored(source, task, name, workspace)
    if name is not None:
        check_name(name, "data set name")
    if header == "auto" and columns and all(isinstance(c, int) for c in columns.values()):
        header = "no"
    found = _read(source, kind, header, limit_bytes)
    if found.table.empty:
        raise DataError(f"{found.what} has no rows: give at least one.")
    frame = canonical_frame(found.table, kind, found.what, columns, unlabelled=unlabelled)
    return TextDataset(name=name or safe_name(found.title), task=task, frame=frame, source=found.origin)


def plain_reader(task: Task) -> Reader | None:
    """Return what reads a ``.txt`` file of a task; None where it has no such files."""
    reader: Reader | None = load_target(task.plain_text) if task.plain_text else None
    return reader


def is_stored(source: str) -> bool:
    """Say whether a text has the form of a stored data set's name, such as ``name@3``."""
    return bool(_STORED.fullmatch(source))


def safe_name(title: str) -> str:
    """Return a name that is safe as a folder and in a link, as near to a title as can be.

    Where no letter or digit of ASCII is left, as in most Chinese titles, it is ``data-`` with six digits of the
    title's hash.
    """
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", title)
    kept = re.sub(r"^[^A-Za-z0-9]+", "", kept)[:64].rstrip("-._")
    return kept if NAME.fullmatch(kept) else f"data-{fingerprint(title)[:6]}"


class _Found(NamedTuple):
    """A table; what messages call it, what a name is made from, and where it came from."""

    table: pd.DataFrame
    what: str
    title: str
    origin: str


def _read(source: "str | Path | Upload | pd.DataFrame", task: Task, header: HeaderChoice, limit_bytes: int) -> _Found:
    if isinstance(source, pd.DataFrame):
        return _Found(text_frame(source), "the frame", "frame", "frame")
    if isinstance(source, str) and source.startswith("sample:"):
        sample = source.removeprefix("sample:")
        return _Found(read_sample(sample), f"the sample {sample}", sample, source)
    if isinstance(source, str) and source.startswith("hub:"):
        identifier = source.removeprefix("hub:")
        title = identifier.partition("/")[2].replace(":", "-")
        return _Found(read_hub(identifier, limit_bytes), f"the hub data set {identifier}", title, source)
    known = known_names(task)
    if isinstance(source, Upload):
        file = base_name(source.name)
        table = read_table(
            source.content, name=file, header=header, known=known, limit_bytes=limit_bytes, plain=plain_reader(task)
        )
        return _Found(table, file, PurePath(file).stem, f"upload:{file}")
    path = _path(source)
    table = read_table(path, header=header, known=known, limit_bytes=limit_bytes, plain=plain_reader(task))
    return _Found(table, *map(encodable, (path.name, path.stem, str(path))))


def _path(source: str | Path) -> Path:
    if not str(source).strip():
        raise DataError("There is no file '': give a file, sample:NAME, name@version or hub:org/name.")
    return Path(os.path.expanduser(source))  # Path.expanduser raises where there is no such user; shells do not


def _stored(source: "str | DatasetRef", task: str, name: str | None, workspace: Workspace | None) -> TextDataset:
    if workspace is None:
        raise OptionError(f"{source} is a stored data set: say in which workspace.")
    data = DatasetStore(workspace).load(source)
    if data.task != task:
        raise DataError(f"{source} was stored for the task {data.task}, not {task}: load its file again for {task}.")
    return replace(data, name=check_name(name, "data set name")) if name else data
