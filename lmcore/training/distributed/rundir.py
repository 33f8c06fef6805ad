"""The folder through which a run on several processes is told what to do, and tells how far it is.

Whoever starts the run writes the plan and, to stop it, a mark; the leader writes progress and metrics, and every process
that fails writes why. Files alone, so that it is the same on one machine and on storage that a cluster shares.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lmcore
from lmcore.errors import Cancelled, InputError, JobError
from lmcore.fingerprint import fingerprint
from lmcore.settings import Settings
from lmcore.storage import disk_errors, write_json
from lmcore.training.config import TrainConfig

WRITE_SECONDS = 0.25
_PLAN, _PROGRESS, _METRICS, _STOP, _SEEN = "plan.json", "progress.json", "metrics.jsonl", "stop", "seen"
_RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes of a run are to do.

    Attributes:
        train: a `TrainConfig` as a dict.
        data: a stored data set's text form.
        workspace: the workspace folder, under the same path on every machine.
        checkpoints: name of the folder for checkpoints.
        resume: go on from the checkpoints of an earlier attempt.
        workers: how many processes train together.
        device: where each computes: ``auto``, ``cpu`` or ``cuda``.
        version: of LMScope; all machines must have the same.
        actor: who started the run, for the log of who did what.
        tracking: fingerprint of the address of the MLflow server, which may hold a password and is not written down.
    """

    train: Mapping[str, Any]
    data: str
    workspace: str
    checkpoints: str
    resume: bool
    workers: int
    device: str
    version: str
    actor: str
    tracking: str


def make_plan(
    config: TrainConfig, data: str, settings: Settings, *, checkpoints: str, resume: bool, workers: int
) -> Plan:
    """Return the plan of a run of this version of LMScope."""
    return Plan(
        config.to_dict(),
        data,
        str(settings.workspace.root.absolute()),
        checkpoints,
        resume,
        workers,
        settings.device,
        lmcore.__version__,
        settings.workspace.actor.name,
        fingerprint(settings.tracking_uri),
    )


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run.

    Attributes:
        path: the folder.
    """

    path: Path

    def begin(self, plan: Plan) -> None:
        """Write the plan, and forget what an earlier attempt left.

        Raises:
            StorageError: the disk is full or refuses.
        """
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for old in self.path.iterdir():
                if old.is_file():
                    old.unlink()
        write_json(self.path / _PLAN, asdict(plan))

    def plan(self) -> Plan:
        """Read the plan.

        Raises:
            InputError: this machine does not see it.
        """
        try:
            return Plan(**json.loads((self.path / _PLAN).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"There is no plan of a run in {self.path}: the workspace (LMSCOPE_HOME) must lie on storage that all "
                "machines of the run share under the same path."
            ) from error

    def stop(self) -> None:
        """Ask the processes to stop at their next step."""
        with disk_errors(self.path):
            (self.path / _STOP).touch()

    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return (self.path / _STOP).exists()

    def see(self) -> None:
        """Leave a mark that a machine of the run has come here."""
        with disk_errors(self.path):
            (self.path / _SEEN).touch()

    def is_seen(self) -> bool:
        """Whether `see` was called."""
        return (self.path / _SEEN).exists()

    def fail(self, rank: int, kind: str, sentence: str) -> None:
        """Write why a process ended: ``cancelled``, ``lost`` (because another did) or ``failed``."""
        write_json(self.path / f"error-{rank}.json", {"kind": kind, "error": sentence})

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write what the run made."""
        write_json(self.path / _RESULT, result)

    def result(self) -> dict[str, Any] | None:
        """Return what the run made, or None where it has not come so far."""
        return _read(self.path / _RESULT)

    def failure(self) -> JobError | None:
        """Return why the run failed: the reason of the process that failed first rather than of those it took along."""
        found = [_read(path) for path in sorted(self.path.glob("error-*.json"))]
        reasons = {kind: said for said in reversed(found) if said for kind in [said["kind"]]}
        for kind in ("failed", "cancelled", "lost"):
            if kind in reasons:
                return (Cancelled if kind == "cancelled" else JobError)(reasons[kind]["error"])
        return None

    def progress(self) -> tuple[float, str] | None:
        """Return the share that is done and what is being done, or None before the leader has said anything."""
        said = _read(self.path / _PROGRESS)
        return (said["fraction"], said["message"]) if said else None

    def metrics(self, start: int) -> tuple[list[tuple[int, dict[str, float]]], int]:
        """Return step and values of every record from a place in the file on, and the place after the last whole one."""
        path = self.path / _METRICS
        if not path.exists():
            return [], start
        with path.open("rb") as file:
            file.seek(start)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        records = [json.loads(line) for line in whole.splitlines()]
        return [(record["step"], record["values"]) for record in records], start + len(whole)


class FolderReport:
    """The `Report` of the processes of a run: it writes to the run's folder, and stops when that says so.

    Args:
        folder: the run's folder.
        abandoned: whether whoever started this process has gone, so that nobody would take what it makes.
    """

    def __init__(self, folder: RunFolder, abandoned: Callable[[], bool] = lambda: False) -> None:
        self._folder, self._abandoned = folder, abandoned
        self._written = 0.0

    def progress(self, fraction: float, message: str = "") -> None:
        """Write it, at most four times a second."""
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self._written = time.monotonic()
            write_json(self._folder.path / _PROGRESS, {"fraction": fraction, "message": message})

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Add a record."""
        record = {"step": int(step), "values": {name: float(value) for name, value in values.items()}}
        path = self._folder.path / _METRICS
        with disk_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def check(self) -> None:
        """Raise `Cancelled` when the run is to stop."""
        if self._folder.is_stopped() or self._abandoned():
            raise Cancelled("The run was asked to stop.")


def orphaned() -> Callable[[], bool]:
    """Return a function that says whether the process that started this one has ended since."""
    parent = os.getppid()
    return lambda: os.getppid() != parent


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
