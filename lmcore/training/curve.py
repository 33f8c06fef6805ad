"""The learning curve: what more data would bring, from runs on growing parts of the training split."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.errors import OptionError, StorageError, UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.models.catalogue import resolve_model
from lmcore.settings import Settings, Workspace
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.tasks.figures import Metric
from lmcore.training.baseline import score_baselines
from lmcore.training.comparison import compare, points, unit_of_difference
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import Evaluation
from lmcore.training.methods import TRAINING, check_method
from lmcore.training.trained import Trained, TrainJob
from lmcore.types import SPLITS, Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.models.load import LoadedModel

SHARES = (0.1, 0.25, 0.5, 1.0)
MODEL = "this model"


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Test figures by the amount of training data.

    Attributes:
        id: names the kept curve; made from configuration, data and shares.
        task: the task.
        data: the data set.
        points: ``share`` of the training split, ``rows``, ``model`` (`MODEL` or a baseline), ``metric``, ``value``,
            ``low`` and ``high`` of the 95 % interval on the test split.
        gain: what the last step brought by the main figure: ``rows`` added, ``metric``, ``difference``, ``low``,
            ``high`` (of a paired bootstrap), ``clear``.
        config: the training configuration.
    """

    id: str
    task: str
    data: str
    points: pd.DataFrame
    gain: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def main(self) -> Metric:
        """The figure that the verdict is about."""
        return load_task(self.task).metric(str(self.gain["metric"]))

    @property
    def verdict(self) -> str:
        """Say what the last step brought, and whether more data promise something."""
        gain, metric = self.gain, self.main
        ends = [points(metric, gain[end], sign=True) for end in ("low", "high")]
        said = (
            f"The last {gain['rows']} training rows changed {metric.title} by "
            f"{points(metric, gain['difference'], sign=True)} {unit_of_difference(metric)} (95 % interval {ends[0]} to "
            f"{ends[1]})."
        )
        helped = gain["clear"] and (gain["difference"] > 0) == metric.higher
        more = "More rows of this kind are likely to help." if helped else "That is no clear gain from more rows."
        return f"{said} {more}"

    def to_frame(self) -> pd.DataFrame:
        """Return the points."""
        return self.points


def learning_curve(
    config: TrainConfig,
    data: TextDataset,
    *,
    shares: Sequence[float] = SHARES,
    settings: Settings,
    scratch: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
) -> LearningCurve:
    """Train on nested parts of the training split and measure each on the same test split; no version is registered.

    Args:
        config: what is trained at every size.
        data: a split data set.
        shares: of the training split, rising, each above 0 and at most 1, two or more of them.
        settings: workspace and device.
        scratch: a folder of this run alone, for checkpoints and finished sizes; emptied first unless resumed.
        resume: go on from what ``scratch`` holds.
        report: progress and cancellation.

    Raises:
        OptionError: the shares are unusable, or the method does not train the task.
        DataError: the data set is not split, or a split cannot be used.
        StorageError: the disk is full.
        Cancelled: the report asked to stop; finished sizes are taken up again when it is resumed.
    """
    report, config, shares = report or Silent(), config.checked(), _checked(shares)
    _check_drawable(config, settings)
    task = load_task(config.task)
    parts, labels = _checked_parts(task, data)
    sizes = _sizes(nested_order(task, parts["train"].frame, seed=config.seed), shares)
    identifier = curve_id(config, data, shares)
    scratch = scratch or settings.workspace.checkpoints / f"curve-{identifier}"
    if not resume:
        shutil.rmtree(scratch, ignore_errors=True)
    whole = TrainJob(
        config, task, parts["train"], parts["dev"], labels, settings, settings.workspace.folder(scratch), resume, report
    )
    found = _all_sizes(whole, parts["test"], shares, sizes)
    curve = LearningCurve(
        id=identifier,
        task=task.name,
        data=str(data.ref or data.name),
        points=pd.concat([frame for frame, _ in found], ignore_index=True),
        gain=_gain(found, config.seed),
        config=config.to_dict(),
    )
    save_curve(settings.workspace, curve)
    shutil.rmtree(scratch, ignore_errors=True)
    return curve


def nested_order(task: Task, frame: pd.DataFrame, *, seed: int) -> np.ndarray:
    """Return when each row joins as the data grow: the share, above 0 and at most 1, from which it is in.

    Each class joins evenly, so that any share holds its overall mix; the first row of each class joins at once. A row
    that is in at one share is in at every larger one.
    """
    rng = np.random.default_rng(seed)
    strata = task.strata(frame)
    classes = np.zeros(len(frame), dtype=object) if strata is None else strata.to_numpy(dtype=object)
    joins = np.empty(len(frame))
    for name in sorted(set(classes), key=str):
        rows = rng.permutation(np.flatnonzero(classes == name))
        joins[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
        joins[rows[0]] = 0.0
    return joins


def part_of(joins: np.ndarray, share: float) -> np.ndarray:
    """Return the positions of the rows that are in at a share, in their order."""
    return np.flatnonzero(joins <= share)


def draws_curve(config: TrainConfig) -> bool:
    """Say whether a way of training learns from one data set alone, so that its parts make a learning curve."""
    return bool(TRAINING[config.method].facts["starts_from"] != "version")


def curve_id(config: TrainConfig, data: TextDataset, shares: Sequence[float] = SHARES) -> str:
    """Return the id of a learning curve before it is drawn."""
    return fingerprint(config.to_dict(), data.fingerprint, [float(share) for share in shares])


def save_curve(workspace: Workspace, curve: LearningCurve) -> None:
    """Keep a learning curve under its id; an earlier one of the same id goes.

    Raises:
        StorageError: the disk is full or refuses.
    """
    target = workspace.results / "curves" / curve.id
    shutil.rmtree(target, ignore_errors=True)
    facts = {"task": curve.task, "data": curve.data, "gain": dict(curve.gain), "config": dict(curve.config)}
    with whole_folder(target) as folder:
        curve.points.to_parquet(folder / "points.parquet", index=False)
        write_json(folder / "curve.json", facts)


def load_curve(workspace: Workspace, identifier: str) -> LearningCurve:
    """Return a kept learning curve.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    known = {path.parent.name: path.parent for path in (workspace.results / "curves").glob("*/curve.json")}
    if identifier not in known:
        raise UnknownError("learning curve", identifier, known)
    try:
        facts = json.loads((known[identifier] / "curve.json").read_text(encoding="utf-8"))
        frame = pd.read_parquet(known[identifier] / "points.parquet")
        return LearningCurve(identifier, facts["task"], facts["data"], frame, facts["gain"], facts["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The learning curve {identifier} is damaged: draw it again.") from error


def _check_drawable(config: TrainConfig, settings: Settings) -> None:
    """Refuse what draws no curve: a run with earlier data beside its own, and a method that does not train the task."""
    if not draws_curve(config):
        raise OptionError(
            f"A run that goes on from {config.model} has earlier data beside its own: draw the curve of a version that was "
            "trained on one data set."
        )
    check_method(config.method, config.task, str(resolve_model(config.model, settings)))


def _checked_parts(task: Task, data: TextDataset) -> tuple[dict[str, TextDataset], tuple[str, ...]]:
    """Return the splits and the labels of the training rows."""
    parts = {split: data.part(split) for split in SPLITS}
    task.check(parts["train"].frame, f"The train split of {data.name!r}")
    labels = task.labels(parts["train"].frame)
    for split in ("dev", "test"):
        task.check(parts[split].frame, f"The {split} split of {data.name!r}", labels)
    return parts, labels


def _checked(shares: Iterable[float]) -> tuple[float, ...]:
    values = tuple(float(share) for share in shares)
    rising = all(a < b for a, b in pairwise(values))
    if len(values) < 2 or not rising or not 0 < values[0] <= values[-1] <= 1:
        raise OptionError(
            f"The shares are {list(values)}: give two or more rising ones above 0 and up to 1, such as .1 1."
        )
    return values


def _sizes(joins: np.ndarray, shares: Sequence[float]) -> list[np.ndarray]:
    """Return the rows of each share; two shares of the same rows are refused."""
    sizes = [part_of(joins, share) for share in shares]
    same = next((len(a) for a, b in pairwise(sizes) if len(a) == len(b)), 0)
    if same:
        raise OptionError(f"Two of the shares hold the same {same} rows: give shares that lie farther apart.")
    return sizes


class _Quiet(Part):
    """A part's report that keeps the training's own curves to itself: steps of several runs would overlap."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""


def _all_sizes(
    whole: TrainJob, test: TextDataset, shares: Sequence[float], sizes: Sequence[np.ndarray]
) -> list[tuple[pd.DataFrame, Evaluation]]:
    """Train on each part of a run's rows and measure it; the time that each takes is reckoned by its share.

    Args:
        whole: the run on all training rows; each part has a folder of its own in its folder.
        test: the rows that all are measured on.
        shares: of the training rows.
        sizes: the rows of each share.
    """
    ends, found = np.cumsum([0.0, *shares]) / sum(shares), []
    for number, (share, rows) in enumerate(zip(shares, sizes, strict=True)):
        job = replace(
            whole,
            train=replace(whole.train, frame=whole.train.frame.iloc[rows].reset_index(drop=True)),
            scratch=whole.settings.workspace.folder(whole.scratch / f"{len(rows)}-rows"),
            report=_Quiet(whole.report, *ends[number : number + 2]),
        )
        found.append(_size(job, test, share))
        shown = found[-1][1].metrics
        whole.report.metrics(len(rows), {f"test_{name}": value for name, value in shown.items()})
    return found


def _size(job: TrainJob, test: TextDataset, share: float) -> tuple[pd.DataFrame, Evaluation]:
    """Return the points of one size and its predictions; a finished one is read back where the run is resumed."""
    kept = job.scratch / "done"
    if job.resume and (kept / "figures.json").is_file():
        return _read_size(job, test, kept)
    job.report.progress(0.0, f"Training on {len(job.train)} rows ({share:.0%})")
    inner = replace(job, report=Part(job.report, 0.0, 0.85))
    trained: Trained = TRAINING[job.config.method].load()(inner)
    evaluation = _evaluate(job, trained, test, Part(job.report, 0.85, 0.95))
    baselines = score_baselines(
        job.task,
        job.train,
        job.dev,
        test,
        job.labels,
        seed=job.config.seed,
        tokenizer=trained.tokenizer,
        max_length=_loaded(job, trained).max_length,
    )
    frame = _points(evaluation, baselines, share, len(job.train))
    with whole_folder(kept) as folder:
        frame.to_parquet(folder / "points.parquet", index=False)
        evaluation.predictions.to_parquet(folder / "predictions.parquet", index=False)
        write_json(folder / "figures.json", {"metrics": dict(evaluation.metrics), "rows": len(job.train)})
    return frame, evaluation


def _read_size(job: TrainJob, test: TextDataset, kept: Path) -> tuple[pd.DataFrame, Evaluation]:
    facts = json.loads((kept / "figures.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(kept / "predictions.parquet")
    evaluation = _as_evaluation(job, test, facts["metrics"], {}, predictions)
    return pd.read_parquet(kept / "points.parquet"), evaluation


def _evaluate(job: TrainJob, trained: Trained, test: TextDataset, report: Report) -> Evaluation:
    predicted = job.task.examine(_loaded(job, trained), test.frame, report=report)
    scores = job.task.score(test.frame, predicted.predictions, job.labels, seed=job.config.seed)
    return _as_evaluation(
        job, test, scores.metrics, scores.intervals, job.task.table(test.frame, predicted.predictions)
    )


def _loaded(job: TrainJob, trained: Trained) -> "LoadedModel":
    from lmcore.models.load import token_limit
    from lmcore.models.start import StartModel, as_loaded

    limit = token_limit(trained.model, trained.tokenizer, min(job.config.max_length, job.settings.max_tokens))
    start = StartModel(trained.model, trained.tokenizer, limit)
    return as_loaded(job.config.model, job.task, trained.model, start, job.labels)


def _as_evaluation(
    job: TrainJob, test: TextDataset, metrics: Mapping[str, float], intervals: Any, predictions: pd.DataFrame
) -> Evaluation:
    name = f"{len(job.train)} rows"
    data = str(test.ref or test.name)
    return Evaluation("", name, data, job.task.name, metrics, intervals, predictions, {}, {"rows": len(predictions)})


def _points(evaluation: Evaluation, baselines: pd.DataFrame, share: float, rows: int) -> pd.DataFrame:
    own = evaluation.to_frame().assign(model=MODEL)
    parts = [own]
    for line in baselines.to_dict("records"):
        listed = [(m, line[m], line[f"{m}_low"], line[f"{m}_high"]) for m in evaluation.metrics if m in line]
        parts.append(pd.DataFrame(listed, columns=["metric", "value", "low", "high"]).assign(model=line["name"]))
    whole = pd.concat(parts, ignore_index=True).assign(share=share, rows=rows)
    return whole[["share", "rows", "model", "metric", "value", "low", "high"]]


def _gain(found: Sequence[tuple[pd.DataFrame, Evaluation]], seed: int) -> dict[str, Any]:
    before, after = (evaluation for _, evaluation in found[-2:])
    rows = [int(frame["rows"].iloc[0]) for frame, _ in found[-2:]]
    compared = compare([before, after], seed=seed)
    table = compared.differences
    row = table[table["metric"] == compared.main.name].iloc[0]
    return {
        "rows": rows[1] - rows[0],
        "metric": compared.main.name,
        **{name: float(row[name]) for name in ("difference", "low", "high")},
        "clear": bool(row["clear"]),
    }
