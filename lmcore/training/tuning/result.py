"""Searches that a workspace keeps: their trials, the best of them, and what it was worth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lmcore.errors import StorageError, UnknownError
from lmcore.settings import Workspace
from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.training.config import TrainConfig
from lmcore.training.methods import TRAINING
from lmcore.training.tuning.space import Choices, Dimension, Space, space_from_dict
from lmcore.training.tuning.trials import ENDED, best_row, open_study, trials_frame

FACTS, STUDY, LOCK = "search.json", "study.db", ".lock"
LOSS = Metric("loss", "Loss", unit="nats", higher=False, maximum=None)
REWARD = Metric("reward", "Mean reward")


@dataclass(frozen=True, eq=False)
class SearchResult:
    """A search as it stands.

    Attributes:
        id: names it; made from what is searched, how, and the data.
        data: the data set.
        metric: the figure on dev that is made good.
        trials: what `lmcore.training.tuning.trials.trials_frame` returns.
        config: the search's configuration, as JSON-like values.
        registered: ``version``, ``evaluation`` and ``trial`` of the best as it was registered; empty before.
    """

    id: str
    data: str
    metric: Metric
    trials: pd.DataFrame
    config: Mapping[str, Any]
    registered: Mapping[str, Any]

    @property
    def base(self) -> TrainConfig:
        """The configuration that every trial begins with."""
        return TrainConfig.from_dict(self.config["base"])

    @property
    def space(self) -> dict[str, Dimension]:
        """What was chosen from."""
        return space_from_dict(self.config["space"])

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return int(self.trials["state"].isin(ENDED).sum())

    @property
    def best_row(self) -> "pd.Series[Any] | None":
        """The best of the finished trials, the first of equals; None where none is finished."""
        return best_row(self.trials, higher=self.metric.higher)

    @property
    def best(self) -> TrainConfig | None:
        """The configuration of the best finished trial; None where none is finished."""
        row = self.best_row
        return None if row is None else best_config(self.base, self.space, row)

    @property
    def verdict(self) -> str:
        """Say what the search found, in a sentence or three."""
        row, metric = self.best_row, self.metric
        if row is None:
            return f"{self.ended} trials have ended, and none of them at its last epoch: there is no best one yet."
        found = ", ".join(f"{name.replace('_', ' ')} {shown_value(row[name])}" for name in self.space)
        said = (
            f"The best of {self.ended} trials is trial {row['trial']}: {metric.title} {self.show(row['value'])} on dev"
        )
        said += f" with {found}."
        first = self.trials.iloc[0]
        if first["state"] == "finished" and first["trial"] != row["trial"]:
            said += f" The first trial had {self.show(first['value'])}."
        counted = [_counted(int((self.trials["state"] == state).sum()), state) for state in ("stopped early", "failed")]
        others = " and ".join(part for part in counted if part)
        return f"{said} Of the others, {others}." if others else said

    def show(self, value: float) -> str:
        """Return a value of the figure as text."""
        return f"{value:.3f}" if self.metric == LOSS else self.metric.show(value)

    def to_frame(self) -> pd.DataFrame:
        """Return the trials."""
        return self.trials


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """What is known of a search without reading its trials.

    Attributes:
        id: names it.
        data: the data set.
        method: the way of training.
        task: the task.
        name: under which its best is registered.
        trials: how many there are to be.
        changed: seconds since 1970.
    """

    id: str
    data: str
    method: str
    task: str
    name: str
    trials: int
    changed: float


def searched_metric(base: TrainConfig) -> Metric:
    """Return the figure by which a way of training chooses on dev: the task's own at each epoch, the
    reward, or else the loss.
    """
    if TRAINING[base.method].facts.get("chooses_by") == REWARD.name:
        return REWARD
    task = load_task(base.task)
    by_epochs = any(item.name == "epochs" for item in TRAINING[base.method].options)
    return task.metric(task.dev_metric) if by_epochs and task.dev_metric != "loss" else LOSS


def best_config(base: TrainConfig, space: Space, row: "pd.Series[Any]") -> TrainConfig:
    """Return a trial's configuration."""
    return replace(base, **{name: _restored(dimension, row[name]) for name, dimension in space.items()}).checked()


def search_folder(workspace: Workspace, identifier: str) -> Path:
    """Return where a search is kept."""
    return workspace.results / "searches" / identifier


def load_search(workspace: Workspace, identifier: str) -> SearchResult:
    """Return a search as it stands, running or not.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    known = {path.parent.name: path.parent for path in (workspace.results / "searches").glob(f"*/{FACTS}")}
    if identifier not in known:
        raise UnknownError("search", identifier, known)
    folder = known[identifier]
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        metric = searched_metric(TrainConfig.from_dict(facts["config"]["base"]))
        space = space_from_dict(facts["config"]["space"])
        with open_study(folder / STUDY, higher=metric.higher) as study:
            trials = trials_frame(study, space, higher=metric.higher)
            registered = dict(study.user_attrs.get("registered", {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The search {identifier} is damaged: run it again.") from error
    return SearchResult(identifier, facts["data"], metric, trials, facts["config"], registered)


def kept_searches(workspace: Workspace) -> list[KeptSearch]:
    """Return the searches that a workspace keeps, the last changed first; damaged ones are passed over."""
    found = []
    for path in (workspace.results / "searches").glob(f"*/{FACTS}"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            base = facts["config"]["base"]
            changed = max(file.stat().st_mtime for file in path.parent.iterdir())
            trials = int(facts["config"]["trials"])
            found.append(
                KeptSearch(path.parent.name, facts["data"], base["method"], base["task"], base["name"], trials, changed)
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda kept: (kept.changed, kept.id), reverse=True)


def shown_value(value: Any) -> str:
    """Return a setting's value for people: a number with three digits that count."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:g}"


def _counted(number: int, state: str) -> str:
    verb = "" if state == "failed" else "was " if number == 1 else "were "
    return f"{number} {verb}{state}" if number else ""


def _restored(dimension: Dimension, value: Any) -> Any:
    """Return a frame's value as the setting has it: a column with gaps holds whole numbers as floats, and None as NaN."""
    if isinstance(dimension, Choices):
        missing = value is None or value != value
        return next((v for v in dimension.values if (v is None if missing else v is not None and v == value)), value)
    return int(value) if isinstance(dimension.low, int) else float(value)
