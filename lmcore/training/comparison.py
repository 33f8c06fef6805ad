"""Which of two or more versions is better on the same rows, by a paired bootstrap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.tasks.resampling import middle, resampled_sums
from lmcore.tasks.tally import like_tallies
from lmcore.training.evaluation import Evaluation

LEVEL = 0.95
_SAME = ("id", "text", "gold")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Versions beside each other on the same rows.

    Attributes:
        versions: the versions, in the order in which they were given.
        data: the rows, as a data set with its split in text form.
        task: the task.
        figures: ``version``, ``metric``, ``value``, ``low`` and ``high``: each version's metrics with 95 % intervals.
        differences: a row for each pair and metric: ``first``, ``second``, ``metric``, ``difference`` (second less
            first, in the metric's unit), ``low`` and ``high`` (its interval) and ``clear`` (whether that leaves out 0).
        disagreements: the rows that some versions get right and others wrong: ``id``, ``text``, ``gold`` and each
            version's answer.
        parameters: ``seed``, ``resamples``, ``rows``, and ``level``, the share that the intervals of ``differences``
            hold: 0.95, more where several pairs are compared (Bonferroni).
    """

    versions: tuple[str, ...]
    data: str
    task: str
    figures: pd.DataFrame
    differences: pd.DataFrame
    disagreements: pd.DataFrame
    parameters: Mapping[str, Any]

    @property
    def main(self) -> Metric:
        """The figure that the verdicts are about: the task's main one, where rows can be resampled for it."""
        task, names = load_task(self.task), self.figures["metric"].tolist()
        return task.metric(task.main_metric if task.main_metric in names else names[0])

    def verdicts(self) -> list[str]:
        """Say for each pair which version is better by the main figure, or that there is no clear difference."""
        rows = self.differences[self.differences["metric"] == self.main.name]
        return [_verdict(self.main, row, self.parameters["level"]) for _, row in rows.iterrows()]

    def to_frame(self) -> pd.DataFrame:
        """Return the differences."""
        return self.differences


def compare(evaluations: Sequence[Evaluation], *, seed: int = 0) -> Comparison:
    """Compare versions that were measured on the same rows.

    Every resample draws the same rows for all versions, so that what makes a row hard for all of them cancels out; two
    intervals that overlap can still be of versions that clearly differ.

    Args:
        evaluations: of two or more versions.
        seed: of the resampling.

    Raises:
        InputError: they are fewer than two, of one version twice, of different tasks or of different rows.
    """
    ordered = _aligned(evaluations)
    task = load_task(evaluations[0].task)
    tallies = like_tallies(task, ordered)
    sums = resampled_sums(np.hstack([tally.rows for tally in tallies]), seed=seed)
    parts = np.split(sums, np.cumsum([tally.rows.shape[1] for tally in tallies])[:-1], axis=1)
    drawn = [tally.read(part) for tally, part in zip(tallies, parts, strict=True)]
    point = [tally.figures() for tally in tallies]
    versions = tuple(evaluation.version for evaluation in evaluations)
    pairs = list(combinations(range(len(versions)), 2))
    level = 1 - (1 - LEVEL) / len(pairs)
    figures = [
        (version, name, value, *middle(drawn[number][name]))
        for number, version in enumerate(versions)
        for name, value in point[number].items()
    ]
    differences = [
        (
            versions[a],
            versions[b],
            name,
            point[b][name] - point[a][name],
            *middle(drawn[b][name] - drawn[a][name], level),
        )
        for a, b in pairs
        for name in point[a]
    ]
    table = pd.DataFrame(differences, columns=["first", "second", "metric", "difference", "low", "high"])
    return Comparison(
        versions=versions,
        data=evaluations[0].data,
        task=task.name,
        figures=pd.DataFrame(figures, columns=["version", "metric", "value", "low", "high"]),
        differences=table.assign(clear=(table["low"] > 0) | (table["high"] < 0)),
        disagreements=_disagreements(versions, ordered),
        parameters={"seed": seed, "resamples": len(sums), "rows": len(ordered[0]), "level": level},
    )


def points(metric: Metric, value: float, *, sign: bool = False) -> str:
    """Return a difference as text: in points (hundredths) of a share of 1, else in the metric's own unit."""
    shown = 100 * value if metric.maximum == 1 else value
    return f"{shown:{'+' if sign else ''}.1f}"


def unit_of_difference(metric: Metric) -> str:
    """Return what a difference is counted in."""
    return "points" if metric.maximum in {1, 100} else metric.unit


def _verdict(metric: Metric, row: pd.Series, level: float) -> str:
    first, second, low, high = row["first"], row["second"], row["low"], row["high"]
    unit = unit_of_difference(metric)
    name = f"{100 * level:.4g} % interval"
    if not row["clear"]:
        said = points(metric, row["difference"], sign=True)
        ends = f"{points(metric, low, sign=True)} to {points(metric, high, sign=True)}"
        return (
            f"There is no clear difference between {first} and {second}: {metric.title} differs by {said} {unit} "
            f"({name} {ends})."
        )
    second_wins = (row["difference"] > 0) == metric.higher
    winner, loser = (second, first) if second_wins else (first, second)
    nearer, farther = sorted([abs(float(low)), abs(float(high))])
    return (
        f"{winner} is better than {loser} by {points(metric, abs(row['difference']))} {unit} of {metric.title} "
        f"({name} {points(metric, nearer)} to {points(metric, farther)})."
    )


def _aligned(evaluations: Sequence[Evaluation]) -> list[pd.DataFrame]:
    """Return each one's predictions in the order of the ids."""
    if len(evaluations) < 2:
        raise InputError("A comparison needs two versions at least: name another one.")
    versions = [evaluation.version for evaluation in evaluations]
    twice = next((version for version in versions if versions.count(version) > 1), "")
    if twice:
        raise InputError(f"{twice} is named twice: compare it with another version.")
    first = evaluations[0]
    frames = [e.predictions.sort_values("id", kind="stable").reset_index(drop=True) for e in evaluations]
    for other, frame in zip(evaluations[1:], frames[1:], strict=True):
        if other.task != first.task:
            raise InputError(
                f"{first.version} does {first.task} and {other.version} {other.task}: compare versions of one."
            )
        same = len(frame) == len(frames[0]) and all(frame[name].equals(frames[0][name]) for name in _SAME)
        if not same:
            raise InputError(
                f"{first.version} was evaluated on {len(frames[0])} rows of {first.data} and {other.version} on "
                f"{len(frame)} other rows of {other.data}: evaluate both on the same data set and split."
            )
    return frames


def _disagreements(versions: Sequence[str], frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    right = np.column_stack([frame["correct"].to_numpy(dtype=bool) for frame in frames])
    mixed = np.flatnonzero(right.any(axis=1) & ~right.all(axis=1))
    answers = {version: frame["label"].iloc[mixed] for version, frame in zip(versions, frames, strict=True)}
    shared: pd.DataFrame = frames[0][list(_SAME)].iloc[mixed]
    return shared.assign(**answers).reset_index(drop=True)
