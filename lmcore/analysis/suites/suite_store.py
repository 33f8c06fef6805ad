"""Suites on disk, with the data set version that they belong to: immutable, numbered, each whole or not there."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lmcore.analysis.suites.cases import Suite
from lmcore.analysis.suites.running import SuiteRun, failure_rates
from lmcore.audit import audited
from lmcore.errors import InputError, StorageError, UnknownError
from lmcore.fingerprint import fingerprint_file
from lmcore.settings import Workspace
from lmcore.storage import FINISHED, whole_folder, write_json
from lmcore.types import NAME, DatasetRef, check_name

_CASES, _META = "cases.parquet", "suite.json"
_RUN = "run.json"


@dataclass(frozen=True, slots=True)
class SuiteInfo:
    """What is known of a stored suite without reading its cases.

    Attributes:
        name: what it is called.
        number: which version of it.
        data: the data set version that it is kept with.
        task: its task.
        cases: their number.
        created: seconds since 1970.
        fingerprint: of the cases.
    """

    name: str
    number: int
    data: str
    task: str
    cases: int
    created: float
    fingerprint: str

    @property
    def ref(self) -> str:
        """Its text form: ``name@number``."""
        return f"{self.name}@{self.number}"


class SuiteStore:
    """The suites of one data set version, and what versions of models made of them; reading makes nothing."""

    def __init__(self, workspace: Workspace, data: "DatasetRef | str") -> None:
        self._workspace = workspace
        self._data = replace(DatasetRef.parse(data), split="")
        self._root = workspace.suites / check_name(self._data.name, "data set name") / str(self._data.version)

    def save(self, suite: Suite) -> Suite:
        """Store a suite as the next version of its name; one whose newest version has the same cases is returned as it is.

        Raises:
            InputError: its name is not usable, or it belongs to other data.
            AccessError: the workspace's actor may not keep suites.
            StorageError: the disk is full or refuses; nothing is left behind.
        """
        check_name(suite.name, "suite name")
        if DatasetRef.parse(suite.data) != self._data and suite.data.partition(":")[0] != str(self._data):
            raise InputError(
                f"The suite {suite.name} is for {suite.data}, not for {self._data}: make it from that data."
            )
        suite = replace(suite, data=str(self._data))
        newest = next((info for info in self.list() if info.name == suite.name), None)
        if newest is not None and newest.fingerprint == suite.fingerprint:
            return replace(suite, number=newest.number)
        with audited(self._workspace, "keep_suite", suite.name, data=str(self._data)) as known:
            number = self._write(suite, max(self._numbers(suite.name), default=0) + 1)
            known |= {"object": f"{suite.name}@{number}", "cases": len(suite)}
        return replace(suite, number=number)

    def load(self, ref: str) -> Suite:
        """Read a suite by ``name@number``, or the newest of a name.

        Raises:
            UnknownError: there is none; the message lists those that exist.
            StorageError: its files are damaged.
        """
        info = self.info(ref)
        folder = self._root / info.name / str(info.number)
        try:
            if fingerprint_file(folder / _CASES) != _json(folder / _META)["content"]:
                raise ValueError("other content")
            frame = pd.read_parquet(folder / _CASES)
            parameters = _json(folder / _META)["parameters"]
            return Suite.from_frame(
                frame, name=info.name, data=info.data, task=info.task, number=info.number, parameters=parameters
            )
        except (OSError, ValueError, KeyError, TypeError, InputError) as error:
            raise StorageError(
                f"The suite {info.ref} of {self._data} is damaged: delete the folder {folder}."
            ) from error

    def info(self, ref: str) -> SuiteInfo:
        """Return what is known of a suite by ``name@number``, or of the newest of a name.

        Raises:
            UnknownError: there is none; the message lists those that exist.
        """
        known = self.list()
        for info in known:
            if ref in (info.ref, info.name):
                return info
        raise UnknownError("suite", ref[:80], [info.ref for info in known], f"They belong to {self._data}.")

    def list(self) -> list[SuiteInfo]:
        """Return every suite, the newest first; damaged ones are passed over."""
        names = [path.name for path in self._root.glob(FINISHED) if NAME.fullmatch(path.name)]
        found = [self._info(name, number) for name in names for number in self._numbers(name)]
        kept = [info for info in found if info is not None]
        return sorted(kept, key=lambda info: (info.created, info.number), reverse=True)

    def save_run(self, run: SuiteRun) -> None:
        """Keep how a version does on a suite; one that is kept already stays.

        Raises:
            StorageError: the disk is full or refuses.
        """
        target = self._runs / run.id
        if target.exists():
            return
        facts = {"suite": run.suite, "data": run.data, "version": run.version, "fingerprint": run.fingerprint}
        with suppress(FileExistsError), whole_folder(target) as folder:
            run.cases.to_parquet(folder / _CASES, index=False)
            write_json(folder / _RUN, {**facts, "created": time.time()})

    def runs(self, suite: str) -> tuple[SuiteRun, ...]:
        """Return the kept runs of a suite (``name@number``), the newest first, one for each version; damaged ones are not."""
        found: dict[str, SuiteRun] = {}
        folders = [path for path in self._runs.glob(FINISHED) if (path / _RUN).is_file()]
        for path in sorted(folders, key=_created, reverse=True):
            with suppress(OSError, ValueError, KeyError, TypeError):
                facts = _json(path / _RUN)
                if (facts["suite"], facts["data"]) == (suite, str(self._data)) and facts["version"] not in found:
                    found[facts["version"]] = _run(path, facts)
        return tuple(found.values())

    @property
    def _runs(self) -> Path:
        return self._workspace.results / "suites"

    def _write(self, suite: Suite, number: int) -> int:
        while True:
            facts: dict[str, Any] = {
                "name": suite.name,
                "data": suite.data,
                "task": suite.task,
                "cases": len(suite),
                "fingerprint": suite.fingerprint,
                "parameters": dict(suite.parameters),
            }
            try:
                with whole_folder(self._root / suite.name / str(number)) as folder:
                    suite.to_frame().to_parquet(folder / _CASES, index=False)
                    content = fingerprint_file(folder / _CASES)
                    write_json(folder / _META, {**facts, "created": time.time(), "content": content})
            except FileExistsError:
                number += 1
            else:
                return number

    def _numbers(self, name: str) -> Iterator[int]:
        return (int(path.name) for path in (self._root / name).glob(FINISHED) if path.name.isdecimal())

    def _info(self, name: str, number: int) -> SuiteInfo | None:
        try:
            facts = _json(self._root / name / str(number) / _META)
            values = {key: facts[key] for key in ("data", "task", "cases", "created", "fingerprint")}
            return SuiteInfo(name=name, number=number, **values)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _run(path: Path, facts: Mapping[str, Any]) -> SuiteRun:
    cases = pd.read_parquet(path / _CASES)
    names = {name: facts[name] for name in ("suite", "data", "version", "fingerprint")}
    return SuiteRun(id=path.name, cases=cases, rates=failure_rates(cases), **names)


def _created(path: Path) -> float:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return float(_json(path / _RUN)["created"])
    return 0.0


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
