"""Where a version does better or worse: its figure on slices of the rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.store import DatasetStore
from lmcore.data.text import is_blank, is_chinese, words
from lmcore.errors import InputError, StorageError
from lmcore.settings import Workspace
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.tasks.figures import Metric
from lmcore.tasks.resampling import middle, resampled_sums, wilson
from lmcore.tasks.tally import Tally
from lmcore.training.evaluation import Evaluation
from lmcore.types import DatasetRef, count_of

LEVEL = 0.95
LENGTHS = 4
MOST_VALUES = 30
LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class SliceReport:
    """A version's figure on every slice.

    Attributes:
        version: the version.
        data: the rows.
        metric: the figure.
        overall: its value on all rows.
        slices: ``by`` (label, length, language or a column's name), ``slice``, ``rows``, ``value``, ``low``, ``high``
            (the interval, which holds `level`) and ``verdict``: ``worse`` or ``better`` than the whole, or empty where
            the interval does not leave the overall figure out.
        members: ``by``, ``slice`` and ``id`` of each row in each slice.
        level: 1 less .05 over the number of slices (Bonferroni), so that among all of them there is at most a chance of
            5 % of a false alarm.
    """

    version: str
    data: str
    metric: Metric
    overall: float
    slices: pd.DataFrame
    members: pd.DataFrame
    level: float

    def sentences(self) -> list[str]:
        """Say which slices differ from the whole."""
        flagged = self.slices[self.slices["verdict"] != ""].sort_values("value", ascending=self.metric.higher)
        if flagged.empty:
            return [
                f"None of the {len(self.slices)} slices differs clearly from the whole ({self.metric.title} "
                f"{self.metric.show(self.overall)}); a small slice can hide a difference."
            ]
        return [
            f"{row['by']} = {row['slice']}: {row['verdict']} than the whole, {self.metric.title} "
            f"{self.metric.show(row['value'])} ({self.metric.show(row['low'])} to {self.metric.show(row['high'])}) on "
            f"{count_of(int(row['rows']), 'row')} against {self.metric.show(self.overall)}."
            for row in flagged.to_dict("records")
        ]

    def rows_of(self, by: str, name: str) -> np.ndarray:
        """Return the ids of the rows in a slice."""
        chosen = (self.members["by"] == by) & (self.members["slice"] == name)
        ids: np.ndarray = self.members.loc[chosen, "id"].to_numpy()
        return ids

    def to_frame(self) -> pd.DataFrame:
        """Return the slices."""
        return self.slices


def measure_slices(evaluation: Evaluation, frame: pd.DataFrame | None = None, *, seed: int = 0) -> SliceReport:
    """Measure a version on every slice of the rows of an evaluation.

    Slices are made by label, by length in words (quarters), by language where there are Chinese and other texts, and by
    every further column with 2 to 30 different values. The figure is the first of the task's tally, which any slice can
    be judged by: the task's main one, but for classes the accuracy. Intervals of shares are Wilson's, which have a width
    where all rows are right; those of other figures are bootstrapped, and slices of fewer than 20 rows are then not
    flagged. Slices that hold nothing to be judged, such as sentences without an entity, are left out.

    Args:
        evaluation: what was predicted.
        frame: the data set's rows, for its further columns; without it they are left out.
        seed: of the resampling.

    Raises:
        InputError: the rows fall into no slices, or hold nothing to be judged.
    """
    task = load_task(evaluation.task)
    predictions = evaluation.predictions.reset_index(drop=True)
    members = slice_members(task, predictions, frame)
    groups = {(str(by), str(name)): part for (by, name), part in members.groupby(["by", "slice"], sort=False)}
    if not groups:
        raise InputError(f"The rows of {evaluation.data} fall into no slices: they are alike in every column.")
    tally = task.tally(predictions)
    overall = tally.figures()
    name = next(iter(overall))
    metric = task.metric(name)
    level = 1 - (1 - LEVEL) / len(groups)
    rows = []
    for (by, value), part in groups.items():
        measured = _measure(tally.part(part["place"].to_numpy()), metric, level, seed)
        if np.isfinite(measured[0]):
            rows.append((by, value, len(part), *measured, _verdict(metric, overall[name], len(part), *measured, tally)))
    if not rows:
        raise InputError(f"The rows of {evaluation.data} hold nothing by which {metric.title} could be measured.")
    slices = pd.DataFrame(rows, columns=["by", "slice", "rows", "value", "low", "high", "verdict"])
    ids = members[["by", "slice", "id"]].reset_index(drop=True)
    return SliceReport(evaluation.version, evaluation.data, metric, overall[name], slices, ids, level)


def evaluation_rows(workspace: Workspace, evaluation: Evaluation) -> pd.DataFrame | None:
    """Return the data set's rows that an evaluation is of, or None where the data set is not stored any more."""
    try:
        return DatasetStore(workspace).load(DatasetRef.parse(evaluation.data)).frame
    except (InputError, StorageError):
        return None


def slice_members(task: Task, predictions: pd.DataFrame, frame: pd.DataFrame | None) -> pd.DataFrame:
    """Return ``by``, ``slice``, ``id`` and ``place`` (position in the predictions) of each row in each slice."""
    columns = {"length": _lengths(predictions["text"]), "language": _languages(predictions["text"])}
    if frame is not None:
        rows = frame.drop_duplicates("id").set_index("id").reindex(predictions["id"])
        labels = [c.name for c in task.columns if c.role == "label" and c.name in rows]
        own = {"split", *(c.name for c in task.columns if c.role != "label")}
        names = [*labels, *(name for name in rows.columns if name not in own and name not in labels)]
        columns = {str(name): rows[name].reset_index(drop=True) for name in names} | columns
    elif any(c.role == "label" for c in task.columns):
        columns = {"label": predictions["gold"]} | columns
    parts = []
    for by, values in columns.items():
        named = values.fillna("").map(lambda value: "(empty)" if is_blank(str(value)) else str(value))
        if 2 <= named.nunique() <= MOST_VALUES:
            found = pd.DataFrame({"by": by, "slice": named, "id": predictions["id"], "place": range(len(named))})
            parts.append(found.sort_values("slice", kind="stable", key=_by_first_number if by == "length" else None))
    if not parts:
        return pd.DataFrame({"by": [], "slice": [], "id": [], "place": []})
    return pd.concat(parts, ignore_index=True)


def _lengths(texts: pd.Series) -> pd.Series:
    """Return the quarter that each text's number of words is in, such as ``8 to 13 words``."""
    counts = texts.map(lambda text: len(words(text))).to_numpy()
    edges = np.unique(np.quantile(counts, np.arange(1, LENGTHS) / LENGTHS).astype(int))
    places = np.searchsorted(edges, counts, side="left")
    names = {}
    for place in np.unique(places):
        inside = counts[places == place]
        low, high = int(inside.min()), int(inside.max())
        names[place] = f"{low} to {high} words" if low < high else f"{count_of(low, 'word')}"
    return pd.Series([names[place] for place in places])


def _by_first_number(names: pd.Series) -> pd.Series:
    return names.map(lambda name: int(name.split()[0]))


def _languages(texts: pd.Series) -> pd.Series:
    return texts.map(lambda text: "Chinese" if is_chinese(text) else "other")


def _measure(tally: Tally, metric: Metric, level: float, seed: int) -> tuple[float, float, float]:
    value = tally.figures()[metric.name]
    if not np.isfinite(value):
        return value, value, value
    judged = tally.part(np.isfinite(tally.read(tally.rows)[metric.name]))
    if is_share(judged, metric):
        return (value, *wilson(value * len(judged.rows), len(judged.rows), level))
    return (value, *middle(tally.read(resampled_sums(tally.rows, seed=seed))[metric.name], level))


def is_share(tally: Tally, metric: Metric) -> bool:
    """Say whether the figure is the share of rows that have something, each row counting once."""
    alone = tally.read(tally.rows)[metric.name]
    counted = metric.maximum == 1 and np.isin(alone, (0.0, 1.0)).all()
    return bool(counted and np.isclose(alone.mean(), tally.figures()[metric.name]))


def _verdict(metric: Metric, overall: float, rows: int, value: float, low: float, high: float, tally: Tally) -> str:
    share = is_share(tally, metric)
    if low <= overall <= high or (rows < LEAST_ROWS and not share):
        return ""
    return "better" if metric.better(value, overall) else "worse"


def describe(report: SliceReport) -> dict[str, Any]:
    """Return a report as JSON-like values."""
    return {
        "metric": report.metric.name,
        "overall": report.overall,
        "level": report.level,
        "slices": report.slices.to_dict("records"),
        "verdict": report.sentences(),
    }
