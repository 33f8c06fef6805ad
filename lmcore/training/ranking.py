"""Which rows are worth labelling first: those of which a version is unsure, or on which two versions disagree."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.label_forms import rows_by_id, said_cells
from lmcore.data.store import DatasetStore
from lmcore.errors import InputError, OptionError, StorageError, UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.models.catalogue import resolve_model
from lmcore.models.load import LoadedModel, load_model
from lmcore.models.predict import predict_rows
from lmcore.settings import Settings, Workspace
from lmcore.storage import FINISHED, whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.tasks.doubt import MEASURES, disagreement, doubt, doubt_measures
from lmcore.types import Part, Report, Silent

DISAGREEMENT = "disagreement"
RANKING = "lmcore.training.ranking:run_ranking"
TITLES = {**MEASURES, DISAGREEMENT: "Two versions disagree"}


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows in the order in which labels are worth most.

    Attributes:
        id: names the kept ranking; made from the versions and the data.
        version: whose predictions they are.
        other: the version that it is held against, or empty.
        data: the data set in text form.
        rows: ``id``, ``cells`` (what the version says, as JSON of the columns that are labelled), ``other_cells`` with a
            second version, and a column for each measure, 0 to 1: high where a label is worth most.
    """

    id: str
    version: str
    other: str
    data: str
    rows: pd.DataFrame

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that it has."""
        return tuple(name for name in TITLES if name in self.rows.columns)

    def order(self, measure: str) -> list[int]:
        """Return the row ids, those with the highest value first and equal ones in the order of the data set.

        Raises:
            OptionError: the ranking does not have that measure.
        """
        self._check(measure)
        return [int(row) for row in self.rows.sort_values(measure, ascending=False, kind="stable")["id"]]

    def values(self, measure: str) -> dict[int, float]:
        """Return a measure by row id."""
        self._check(measure)
        return {int(row): float(v) for row, v in zip(self.rows["id"], self.rows[measure], strict=True)}

    def said(self, row: int) -> dict[str, dict[str, str]]:
        """Return what each version says of a row, as the cells that a person would give."""
        found = self.rows[self.rows["id"] == row]
        names = {"cells": self.version, "other_cells": self.other}
        return {
            names[column]: json.loads(found[column].iloc[0]) for column in names if column in found and len(found) == 1
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows

    def _check(self, measure: str) -> None:
        if measure not in self.measures:
            raise OptionError(f"This ranking has no measure {measure!r}: take {', '.join(self.measures)}.")


def rank_rows(
    version: "str | LoadedModel",
    data: TextDataset,
    *,
    other: "str | LoadedModel" = "",
    settings: Settings | None = None,
    report: Report | None = None,
) -> Ranking:
    """Ask a version, or two, about every row of a data set, and measure how unsure it is and how far they are apart.

    Args:
        version: a registered version of the data's task, or a loaded model.
        data: the data set, labelled or not.
        other: a second version; without one there is no ``disagreement``.
        settings: workspace and device; from the environment where None.
        report: progress and cancellation.

    Raises:
        InputError: there is no such version, it does another task, or both are the same.
        Cancelled: the report asked to stop.
    """
    settings, report, task = settings or Settings.from_environment(), report or Silent(), load_task(data.task)
    models = [_loaded(item, data, settings) for item in (version, other) if item]
    refs = [str(model.ref) for model in models]
    if len(set(refs)) < len(refs):
        raise InputError(f"{refs[0]} is named twice: take another version to disagree with it.")
    said = [
        predict_rows(model, data.frame, report=Part(report, n / len(models), (n + 1) / len(models)))
        for n, model in enumerate(models)
    ]
    rows = list(rows_by_id(data.frame).values())
    columns: dict[str, Any] = {"id": data.frame["id"].to_numpy()}
    for name, found in zip(("cells", "other_cells"), said, strict=False):
        cells = [said_cells(task, row, one) for row, one in zip(rows, found, strict=True)]
        columns[name] = [json.dumps(each, ensure_ascii=False) for each in cells]
    doubts = [doubt(task, one) for one in said[0]]
    columns |= {name: [each[name] for each in doubts] for name in doubt_measures(task)}
    if len(said) > 1:
        columns[DISAGREEMENT] = [disagreement(task, a, b) for a, b in zip(*said, strict=True)]
    where = str(data.ref or data.name)
    return Ranking(
        ranking_id(refs[0], where, refs[1] if other else ""), refs[0], refs[1] if other else "", where,
        pd.DataFrame(columns),
    )  # fmt: skip


def ranking_id(version: str, data: str, other: str = "") -> str:
    """Return the id under which the ranking of a stored data set by registered versions is kept."""
    return fingerprint("ranking", version, other, data)


def ensure_ranking(
    version: str, data: TextDataset, *, other: str = "", settings: Settings, report: Report | None = None
) -> Ranking:
    """Return the kept ranking of a stored data set, else one that is made now and kept; see `rank_rows`."""
    refs = [str(resolve_model(item, settings)) if item else "" for item in (version, other)]
    with suppress(UnknownError):
        return load_ranking(settings.workspace, ranking_id(refs[0], str(data.ref or data.name), refs[1]))
    made = rank_rows(refs[0], data, other=refs[1], settings=settings, report=report)
    if data.ref:
        save_ranking(settings.workspace, made)
    return made


def save_ranking(workspace: Workspace, ranking: Ranking) -> None:
    """Keep a ranking under its id; one that is kept already stays as it is.

    Raises:
        StorageError: the disk is full or refuses.
    """
    target = workspace.results / "rankings" / ranking.id
    if target.exists():
        return
    facts = {"version": ranking.version, "other": ranking.other, "data": ranking.data}
    with suppress(FileExistsError), whole_folder(target) as folder:
        ranking.rows.to_parquet(folder / "rows.parquet", index=False)
        write_json(folder / "ranking.json", facts)


def load_ranking(workspace: Workspace, identifier: str) -> Ranking:
    """Return a kept ranking.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    known = {path.name: path for path in (workspace.results / "rankings").glob(FINISHED)}
    if identifier not in known:
        raise UnknownError("ranking", identifier, known)
    try:
        facts = json.loads((known[identifier] / "ranking.json").read_text(encoding="utf-8"))
        rows = pd.read_parquet(known[identifier] / "rows.parquet")
        return Ranking(identifier, facts["version"], facts["other"], facts["data"], rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"The ranking {identifier} is damaged ({type(error).__name__}): delete the folder {known[identifier]} and "
            "order the rows again."
        ) from error


def run_ranking(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Rank the rows of a stored data set as a job, and keep the result.

    Args:
        config: ``version``, ``other`` (or empty) and ``data`` (a stored data set's text form).
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``ranking`` (its id).
    """
    data = DatasetStore(workspace).load(config["data"])
    settings = replace(Settings.from_environment(), workspace=workspace)
    report.progress(0.0, "Loading the model")
    made = ensure_ranking(config["version"], data, other=config["other"], settings=settings, report=report)
    return {"ranking": made.id}


def _loaded(version: "str | LoadedModel", data: TextDataset, settings: Settings) -> LoadedModel:
    loaded = version if isinstance(version, LoadedModel) else load_model(version, settings=settings)
    if loaded.task != data.task:
        raise InputError(
            f"{loaded.ref} does {loaded.task or 'no task yet'} and {data.called} is for {data.task}: take a "
            "version of that task."
        )
    return loaded
