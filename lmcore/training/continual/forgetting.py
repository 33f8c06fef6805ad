"""What a version lost on earlier data, and won on new ones, when it was trained further."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.data.text import comparison_key
from lmcore.errors import DataError, InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel, load_model
from lmcore.settings import Settings
from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.training.comparison import Comparison, compare, points, unit_of_difference
from lmcore.training.continual.lineage import earlier_data, lineage
from lmcore.training.continual.slice_changes import compare_slices
from lmcore.training.evaluation import Evaluation
from lmcore.training.kept import ensure_evaluation
from lmcore.types import ModelRef, Part, Report, Silent, count_of

OLD, NEW = "earlier", "new"


@dataclass(frozen=True, eq=False)
class Forgetting:
    """A version before and after further training, on the test rows of earlier and of new data.

    Attributes:
        id: names the kept report; made from versions, data and seed.
        before: the version that went on.
        after: what came out.
        task: the task of both.
        figures: ``role`` (`OLD` or `NEW`), ``data``, ``rows``, ``metric``, ``before``, ``after``, ``difference`` (after
            less before, in the metric's unit), ``low`` and ``high`` (its 95 % interval by a paired bootstrap),
            ``clear`` (whether that leaves out 0) and ``better`` (whether the difference is a gain).
        slices: the same for the slices of each data set, by the figure that any slice can be judged by, with ``by`` and
            ``slice``; these intervals hold more than 95 % each, so that among all slices of a data set there is at most a
            chance of 5 % of a false alarm.
        parameters: ``seed``, ``unknown_classes`` (classes of the new data that the version before did not know: it counts
            as wrong on their rows) and ``seen_share`` (the largest share of earlier test rows whose text stands in the
            new train split).
    """

    id: str
    before: str
    after: str
    task: str
    figures: pd.DataFrame
    slices: pd.DataFrame
    parameters: Mapping[str, Any]

    @property
    def main(self) -> Metric:
        """The figure that the verdict is about."""
        task, names = load_task(self.task), self.figures["metric"].tolist()
        return task.metric(task.main_metric if task.main_metric in names else names[0])

    @property
    def verdict(self) -> str:
        """Say what was lost on the earlier data and won on the new."""
        rows = self.figures[self.figures["metric"] == self.main.name].to_dict("records")
        said = [_change(self.main, row, len([r for r in rows if r["role"] == OLD]) > 1) for row in rows]
        return f"{self.after} {', '.join(said[:-1])} and {said[-1]}."

    def sentences(self) -> list[str]:
        """Say which slices lost or won clearly, the largest loss first, and what a reader should know."""
        flagged = self.slices[self.slices["clear"].astype(bool)]
        size = flagged["difference"].abs().where(flagged["better"].astype(bool), -flagged["difference"].abs())
        ordered = flagged.assign(size=size).sort_values("size", kind="stable")
        found = [_slice_change(self.task, row) for row in ordered.to_dict("records")]
        if not found:
            found.append("No slice lost or won clearly; a small slice can hide a change.")
        classes = self.parameters.get("unknown_classes")
        if classes:
            found.append(
                f"{self.before} did not know {', '.join(classes)}: it counts as wrong on those rows, and part of what "
                "was won is that they are known now."
            )
        seen = float(self.parameters.get("seen_share", 0.0))
        if seen > 0:
            found.append(f"{seen:.0%} of the earlier test rows stand in the new train split, which hides forgetting.")
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return all slices and, as slices by nothing, the figures of whole data sets."""
        whole = self.figures.assign(by="", slice="all rows")
        return pd.concat([whole, self.slices], ignore_index=True)


def measure_forgetting(
    before: "str | ModelRef",
    after: "str | ModelRef",
    old: Sequence[TextDataset],
    new: TextDataset,
    *,
    settings: Settings,
    seed: int = 0,
    report: Report | None = None,
) -> Forgetting:
    """Measure two versions on the test rows of earlier data and of new data, and say what changed.

    Evaluations that are kept are taken up, and those that are made are kept.

    Args:
        before: the registered version that went on.
        after: what came out.
        old: the earlier data sets, split.
        new: the data that it went on with, split.
        settings: workspace and device.
        seed: of the resampling.
        report: progress and cancellation.

    Raises:
        InputError: there is no such version, or the two do different tasks.
        DataError: there are no earlier data, or rows cannot be measured.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    if not old:
        raise DataError("There are no earlier data to measure forgetting on: name a data set that the version knew.")
    report, task = report or Silent(), load_task(new.task)
    loaded = [load_model(version, settings=settings) for version in (before, after)]
    names = [str(model.ref) for model in loaded]
    sets = [*((OLD, data) for data in old), (NEW, new)]
    figures, slices = [], []
    for number, (role, data) in enumerate(sets):
        parts = [
            Part(report, (2 * number + i) / (2 * len(sets)), (2 * number + i + 1) / (2 * len(sets))) for i in (0, 1)
        ]
        pair = [_measured(model, data, settings, part) for model, part in zip(loaded, parts, strict=True)]
        where = {"role": role, "data": str(data.ref or data.name)}
        figures.append(_figures(compare(pair, seed=seed)).assign(**where))
        slices.append(compare_slices(pair[0], pair[1], data.frame, seed=seed).assign(**where))
    seen = max(_seen_share(data, new) for data in old)
    unknown = [x for x in task.labels(new.part("test").frame) if loaded[0].labels and x not in loaded[0].labels]
    parameters = {"seed": seed, "unknown_classes": unknown, "seen_share": seen}
    return Forgetting(
        id=fingerprint(*names, [(data.fingerprint, where) for where, data in sets], seed),
        before=names[0],
        after=names[1],
        task=task.name,
        figures=_ordered(pd.concat(figures, ignore_index=True)),
        slices=_ordered(pd.concat(slices, ignore_index=True)),
        parameters=parameters,
    )


def forgetting_of(
    version: "str | ModelRef",
    *,
    before: "str | ModelRef" = "",
    settings: Settings,
    seed: int = 0,
    report: Report | None = None,
) -> Forgetting:
    """Measure what a version forgot of what the one knew that it was trained on from.

    Args:
        version: the version that came out.
        before: the one that went on; empty takes the one that ``version`` says.
        settings: workspace and device.
        seed: of the resampling.
        report: progress and cancellation.

    Raises:
        InputError: there is no such version, or it was not trained on from another one.
        DataError: no earlier data are stored.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    known = lineage(version, settings)[0]
    before = before or str(known.facts.get("base", ""))
    if not str(before).startswith("models:/"):
        raise InputError(f"{known.ref} was not trained on from another version: name the version before it.")
    earlier = earlier_data(before, settings)
    if not earlier.data:
        raise DataError(
            f"{before} was trained on {', '.join(earlier.gone)}, which is not stored any more: what was forgotten of it is not "
            "known."
        )
    new = DatasetStore(settings.workspace).load(str(known.facts.get("data", "")))
    return measure_forgetting(before, known.ref, earlier.data, new, settings=settings, seed=seed, report=report)


def _measured(loaded: LoadedModel, data: TextDataset, settings: Settings, report: Report) -> Evaluation:
    """Return a version's answers to the test rows, those with classes that it does not know among them.

    With such classes it is no evaluation that is kept: the version is wrong on these rows, whatever it answers.
    """
    part, task = data.part("test"), load_task(loaded.task)
    unknown = set(task.labels(part.frame)) - set(loaded.labels)
    if not (loaded.labels and unknown):
        return ensure_evaluation(loaded, data, settings=settings, report=report)
    predicted = task.examine(loaded, part.frame, report=report)
    table = task.table(part.frame, predicted.predictions)
    name = str(part.ref or part.name)
    return Evaluation("", str(loaded.ref), name, task.name, {}, {}, table, {}, {"rows": len(table), "split": "test"})


def _figures(compared: Comparison) -> pd.DataFrame:
    """Return the figures before and after with the intervals of their differences."""
    task = load_task(compared.task)
    before, after = (
        compared.figures[compared.figures["version"] == version].set_index("metric")["value"]
        for version in compared.versions
    )
    found = compared.differences.drop(columns=["first", "second"])
    better = [
        task.metric(name).better(change, 0.0) for name, change in zip(found["metric"], found["difference"], strict=True)
    ]
    return found.assign(
        before=found["metric"].map(before),
        after=found["metric"].map(after),
        rows=compared.parameters["rows"],
        better=better,
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    first = ["role", "data", *(name for name in ("by", "slice") if name in frame.columns)]
    return frame[[*first, "rows", "metric", "before", "after", "difference", "low", "high", "clear", "better"]]


def _seen_share(earlier: TextDataset, new: TextDataset) -> float:
    """Return the share of the earlier test rows whose text stands in the new train split."""
    task = load_task(earlier.task)
    texts, learnt = (
        task.texts(data.part(split).frame).map(comparison_key) for data, split in ((earlier, "test"), (new, "train"))
    )
    return float(texts.isin(set(learnt)).mean())


def _change(metric: Metric, row: Mapping[Hashable, Any], several: bool) -> str:
    """Say in the words of a sentence's end what happened on one data set."""
    unit = f"{unit_of_difference(metric)} of {metric.title}"
    where = "on the new data" if row["role"] == NEW else f"on the earlier data{' ' + row['data'] if several else ''}"
    low, high = float(row["low"]), float(row["high"])
    if not row["clear"]:
        ends = " to ".join(points(metric, end, sign=True) for end in (low, high))
        said = points(metric, row["difference"], sign=True)
        return f"did not clearly change {where} ({said} {unit}, 95 % interval {ends})"
    nearer, farther = (points(metric, end) for end in sorted([abs(low), abs(high)]))
    verb = "won" if row["better"] else "lost"
    return f"{verb} {points(metric, abs(row['difference']))} {unit} {where} (95 % interval {nearer} to {farther})"


def _slice_change(task: str, row: Mapping[Hashable, Any]) -> str:
    metric = load_task(task).metric(str(row["metric"]))
    word = "better" if row["better"] else "worse"
    return (
        f"{row['data']}, {row['by']} = {row['slice']}: {word} by {points(metric, abs(row['difference']))} "
        f"{unit_of_difference(metric)} of {metric.title} ({metric.show(row['before'])} to {metric.show(row['after'])} on "
        f"{count_of(int(row['rows']), 'row')})."
    )
