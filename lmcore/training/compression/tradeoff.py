"""Quality against latency and size: a version and what was made from it, measured side by side."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.errors import StorageError
from lmcore.fingerprint import fingerprint
from lmcore.models.exported import EXPORT, is_exported, load_exported
from lmcore.models.load import load_model
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings, Workspace
from lmcore.storage import write_json
from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.training.compression.speed import BATCH_ROWS, BATCHES, SINGLES, machine, measure_speed
from lmcore.training.kept import ensure_evaluation
from lmcore.types import Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.models.load import LoadedModel
    from lmcore.models.registry import ModelVersion
    from lmcore.training.evaluation import Evaluation

MOST = 10


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """A version and what was made from it.

    Attributes:
        id: names it.
        root: the version that the others were made from.
        data: the rows on which quality was measured.
        task: the task.
        points: a row a version: ``version``, ``how``, ``quality``, ``low`` and ``high`` (the main figure with its 95 %
            interval), ``bytes`` on disk of what runs, ``parameters``, ``zeros`` among them, ``single_ms``,
            ``single_p95_ms``, ``batch_per_second``, ``original``, and ``front``: no other is at least as good in
            quality, latency and size and better in one of them.
        parameters: machine, threads, rounds and rows of a batch.
    """

    id: str
    root: str
    data: str
    task: str
    points: pd.DataFrame
    parameters: Mapping[str, Any]

    @property
    def main(self) -> Metric:
        """The figure that quality is."""
        task = load_task(self.task)
        return task.metric(task.main_metric)

    @property
    def conditions(self) -> str:
        """Say what the times hold for."""
        known = self.parameters
        threads = "1 thread" if known["threads"] == 1 else f"{known['threads']} threads"
        return (
            f"Times are of the model's pass alone on {known['machine']}, {threads}: {known['singles']} rounds with one text, "
            f"{known['batches']} with {known['batch_rows']}, all versions in turn."
        )

    def sentence(self, version: str) -> str:
        """Say what a version costs and brings, held against the one that it was made from."""
        mine = self.points[self.points["version"] == version].iloc[0]
        first = self.points[self.points["original"]].iloc[0]
        show = self.main.show
        return (
            f"{version} has {mine['bytes'] / first['bytes']:.0%} of the bytes of {self.root} and takes "
            f"{mine['single_ms'] / first['single_ms']:.0%} of its time for a text "
            f"({mine['single_ms']:.1f} ms against {first['single_ms']:.1f} ms); {self.main.title.lower()} "
            f"{show(mine['quality'])} ({show(mine['low'])} to {show(mine['high'])}) against {show(first['quality'])} "
            f"({show(first['low'])} to {show(first['high'])})."
        )


def pareto_front(costs: np.ndarray) -> np.ndarray:
    """Say which points no other dominates: none is as low in every cost and lower in one.

    Args:
        costs: float of shape (points, costs); less is better.

    Returns:
        bool of shape (points,); points that are equal are both on the front.
    """
    as_low = (costs[:, None] <= costs[None]).all(axis=2)
    lower = (costs[:, None] < costs[None]).any(axis=2)
    return np.logical_not((as_low & lower).any(axis=0))


def family(version: "ModelVersion", settings: Settings) -> "list[ModelVersion]":
    """Return the version that a version was made from, or itself, and all that were made from it, oldest first."""
    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    root = root_of(version)
    kin = [v for v in registry.list() if v.available and (str(v.ref) == root or root_of(v) == root)]
    kin.sort(key=lambda v: (str(v.ref) != root, v.created, v.version))
    return [*kin[:1], *kin[1:][-(MOST - 1) :]]


def root_of(version: "ModelVersion") -> str:
    """Return the version that a version was made from in the beginning; its own reference where it was trained."""
    return str(version.facts.get("compression", {}).get("root", version.ref))


def measure_tradeoff(
    version: "ModelVersion", data: "TextDataset", *, settings: Settings, report: Report | None = None
) -> Tradeoff:
    """Measure a version's whole family: quality on test, bytes, and time side by side; keep the result.

    Args:
        version: any of the family.
        data: a split data set.
        settings: the workspace; times are always of the CPU.
        report: progress and cancellation.

    Raises:
        InputError: one cannot be loaded.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    kin = family(version, settings)
    loaded = {str(v.ref): load_as_measured(v, settings) for v in kin}
    found = {}
    for number, (ref, model) in enumerate(loaded.items()):
        part = Part(report, 0.6 * number / len(kin), 0.6 * (number + 1) / len(kin))
        found[ref] = ensure_evaluation(model, data, settings=settings, report=part)
    speeds = measure_speed(loaded, data.part("test").frame, report=Part(report, 0.6, 1.0))
    root = root_of(version)
    rows = [
        {**_quality(found[ref]), **_size(v.folder), **asdict(speeds[ref]), "how": how(v), "version": ref}
        for v, ref in zip(kin, loaded, strict=True)
    ]
    points = pd.DataFrame(rows).assign(original=[ref == root for ref in loaded])
    sign = -1 if load_task(version.task).metric(load_task(version.task).main_metric).higher else 1
    points["front"] = pareto_front(np.column_stack([sign * points["quality"], points["single_ms"], points["bytes"]]))
    parameters = {
        **machine(), "singles": SINGLES, "batches": BATCHES, "batch_rows": min(BATCH_ROWS, len(data.part("test").frame)),
    }  # fmt: skip
    name = next(iter(found.values())).data
    made = Tradeoff(fingerprint(root, name, list(loaded), rows), root, name, version.task, points, parameters)
    write_json(_path(settings.workspace, made.id), {**asdict(made), "points": points.to_dict("records")})
    return made


def load_as_measured(version: "ModelVersion", settings: Settings) -> "LoadedModel":
    """Load a version on the CPU as its figures are measured: its export where it has one, else its weights."""
    if is_exported(version.folder):
        return load_exported(version.ref, settings)
    return load_model(version.ref, device="cpu", settings=settings)


def how(version: "ModelVersion") -> str:
    """Say in a few words how a version was made."""
    known = version.facts.get("compression")
    if not known:
        return "original"
    options = known["options"]
    said = f" {options['share']:.0%}" if "share" in options else ""
    said += f" by {options['score']}" if "score" in options else ""
    said += f" {options['precision']}" if "precision" in options else ""
    return f"{known['method']}{said}" + (" of a compressed one" if known["from"] != known["root"] else "")


def newest_tradeoff(workspace: Workspace, root: str, data: str = "") -> Tradeoff | None:
    """Return the newest kept measurement of a family, on some rows or any; damaged ones are passed over."""
    paths = sorted(_path(workspace, "x").parent.glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in paths:
        try:
            found = _read(path)
        except StorageError:
            continue
        if found.root == root and data in {"", found.data}:
            return found
    return None


def _read(path: Path) -> Tradeoff:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return Tradeoff(**{**facts, "points": pd.DataFrame(facts["points"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"The measurement {path.stem} is damaged ({type(error).__name__}): measure again."
        ) from error


def _quality(evaluation: "Evaluation") -> dict[str, float]:
    name = evaluation.main.name
    low, high = evaluation.intervals[name]
    return {"quality": evaluation.metrics[name], "low": low, "high": high}


def _size(folder: Path) -> dict[str, int]:
    """Return the bytes of the files that run, the number of weights, and how many of them are zero."""
    from safetensors import safe_open

    weights = sorted(folder.glob("*.safetensors"))
    numbers = zeros = 0
    for path in weights:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                tensor = file.get_tensor(name)
                numbers += tensor.numel()
                zeros += tensor.numel() - int(tensor.count_nonzero())
    run = [folder / EXPORT] if is_exported(folder) else weights
    return {"bytes": sum(path.stat().st_size for path in run), "parameters": numbers, "zeros": zeros}


def _path(workspace: Workspace, identifier: str) -> Path:
    return workspace.results / "tradeoffs" / f"{identifier}.json"
