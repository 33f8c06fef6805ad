"""Data sets on disk: immutable, numbered versions with their history."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lmcore.audit import audited
from lmcore.data.dataset import TextDataset
from lmcore.errors import InputError, StorageError, UnknownError
from lmcore.fingerprint import fingerprint_file
from lmcore.settings import Workspace
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.types import NAME, DatasetRef, check_name

_ROWS = "data.parquet"
_META = "meta.json"


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a stored version without reading its rows.

    Attributes:
        ref: its name and number.
        task: the task whose columns it has.
        rows: their number.
        labels: number of classes.
        is_split: whether its rows carry a split.
        source: the file, sample or hub data set that it goes back to.
        parent: the version that it was made from.
        operation: what was done to the parent.
        created: seconds since 1970.
        fingerprint: of the rows.
    """

    ref: DatasetRef
    task: str
    rows: int
    labels: int
    is_split: bool
    source: str
    parent: DatasetRef | None
    operation: Mapping[str, Any]
    created: float
    fingerprint: str


class DatasetStore:
    """The data sets of a workspace, one folder a version; reading an empty one makes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._root = workspace.datasets

    def save(self, data: TextDataset) -> TextDataset:
        """Store a data set as the next version of its name.

        Where a version of the same name holds the same rows, made from the same parent in the same way, that one is
        returned and nothing is written.

        Returns:
            The data set with its reference.

        Raises:
            InputError: its name is not usable.
            AccessError: the workspace's actor may not change data.
            StorageError: the disk is full or refuses; nothing is left behind.
        """
        check_name(data.name, "data set name")
        meta = _describe(data)
        for info in self._versions(data.name):
            if _same(info, meta):
                return replace(data, ref=info.ref)
        operation = str(meta["operation"].get("name", "import"))
        with audited(self._workspace, "keep_data", data.name, operation=operation, parent=meta["parent"]) as known:
            ref = self._write_next(data, meta)
            known |= {"object": str(ref), "rows": len(data)}
        return replace(data, ref=ref)

    def load(self, ref: DatasetRef | str) -> TextDataset:
        """Read a stored version, or one split of it.

        Raises:
            InputError: the text is not a reference.
            UnknownError: there is no such version; the message lists those that exist.
            StorageError: its files are damaged.
            DataError: it is not split, where a split is asked for.
        """
        ref = DatasetRef.parse(ref)
        whole = replace(ref, split="")
        info = self.info(whole)
        frame = self._read(whole)
        data = TextDataset(ref.name, info.task, frame, info.source, whole, info.parent, info.operation)
        return data.part(ref.split) if ref.split else data

    def info(self, ref: DatasetRef | str) -> DatasetInfo:
        """Return what is known of a version without reading its rows.

        Raises:
            InputError: the text is not a reference.
            UnknownError: there is no such version; the message lists those that exist.
            StorageError: its description is damaged.
        """
        ref = replace(DatasetRef.parse(ref), split="")
        if not self._folder(ref).is_dir():
            raise UnknownError("stored data set", str(ref), [str(info.ref) for info in self.list()])
        return self._info(ref)

    def list(self) -> list[DatasetInfo]:
        """Return every version, the newest first; damaged ones are passed over."""
        found = [info for name in self._names() for info in self._versions(name)]
        return sorted(found, key=lambda info: (info.created, info.ref.version), reverse=True)

    def damaged(self) -> tuple[str, ...]:
        """Return the versions whose files are missing or cannot be read, such as ``name@3``."""
        refs = (DatasetRef(name, number) for name in self._names() for number in self._numbers(name))
        return tuple(str(ref) for ref in refs if self._try_info(ref) is None)

    def history(self, ref: DatasetRef | str) -> tuple[DatasetInfo, ...]:
        """Return a version, its parent, the parent's parent and so on, as far as they are stored.

        Raises:
            InputError: the text is not a reference.
            UnknownError: there is no such version.
            StorageError: its description is damaged.
        """
        chain = [self.info(ref)]
        while (parent := chain[-1].parent) is not None:
            found = self._try_info(parent) if self._folder(parent).is_dir() else None
            if found is None:
                break
            chain.append(found)
        return tuple(chain)

    def _write_next(self, data: TextDataset, meta: Mapping[str, Any]) -> DatasetRef:
        number = max(self._numbers(data.name), default=0) + 1
        while True:
            try:
                self._write(data, DatasetRef(data.name, number), meta)
            except FileExistsError:
                number += 1
            else:
                return DatasetRef(data.name, number)

    def _write(self, data: TextDataset, ref: DatasetRef, meta: Mapping[str, Any]) -> None:
        with whole_folder(self._folder(ref)) as folder:
            data.frame.to_parquet(folder / _ROWS, engine="pyarrow", compression="zstd", index=False)
            content = fingerprint_file(folder / _ROWS)
            write_json(folder / _META, {**meta, "created": time.time(), "content": content})

    def _read(self, ref: DatasetRef) -> pd.DataFrame:
        import pyarrow as pa

        path = self._folder(ref) / _ROWS
        try:
            if fingerprint_file(path) == _meta(path.parent)["content"]:
                return pd.read_parquet(path, engine="pyarrow")
        except (OSError, pa.ArrowException, ValueError, KeyError) as error:
            raise StorageError(_damaged(ref, path.parent)) from error
        raise StorageError(_damaged(ref, path.parent))

    def _info(self, ref: DatasetRef) -> DatasetInfo:
        folder = self._folder(ref)
        try:
            (folder / _ROWS).stat()
            meta = _meta(folder)
            return DatasetInfo(
                ref=ref,
                task=meta["task"],
                rows=meta["rows"],
                labels=meta["labels"],
                is_split=meta["is_split"],
                source=meta["source"],
                parent=DatasetRef.parse(meta["parent"]) if meta["parent"] else None,
                operation=meta["operation"],
                created=meta["created"],
                fingerprint=meta["fingerprint"],
            )
        except (OSError, ValueError, KeyError, TypeError, InputError) as error:
            raise StorageError(_damaged(ref, folder)) from error

    def _try_info(self, ref: DatasetRef) -> DatasetInfo | None:
        try:
            return self._info(ref)
        except StorageError:
            return None

    def _versions(self, name: str) -> Iterator[DatasetInfo]:
        infos = (self._try_info(DatasetRef(name, number)) for number in self._numbers(name))
        return (info for info in infos if info is not None)

    def _names(self) -> Iterator[str]:
        return (name for name in _folders(self._root) if NAME.fullmatch(name))

    def _numbers(self, name: str) -> tuple[int, ...]:
        return tuple(sorted(int(number) for number in _folders(self._root / name) if number.isdecimal()))

    def _folder(self, ref: DatasetRef) -> Path:
        return self._root / check_name(ref.name, "data set name") / str(int(ref.version))


def _folders(path: Path) -> tuple[str, ...]:
    return tuple(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else ()


def _meta(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / _META).read_text(encoding="utf-8"))
    return meta


def _describe(data: TextDataset) -> dict[str, Any]:
    return {
        "task": data.task,
        "rows": len(data),
        "labels": len(load_task(data.task).labels(data.frame)),
        "is_split": data.is_split,
        "source": data.source,
        "parent": str(data.parent) if data.parent else "",
        "operation": json.loads(json.dumps(dict(data.operation))),
        "fingerprint": data.fingerprint,
    }


def _same(info: DatasetInfo, meta: Mapping[str, Any]) -> bool:
    parent = str(info.parent) if info.parent else ""
    return (info.fingerprint, parent, info.operation) == (meta["fingerprint"], meta["parent"], meta["operation"])


def _damaged(ref: DatasetRef, folder: Path) -> str:
    return f"The stored data set {ref} is damaged: delete the folder {folder} and load its file again."
