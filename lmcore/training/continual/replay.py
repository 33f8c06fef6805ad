"""Replay: rows of earlier data among the new ones, so that what was learnt from them stays (Robins 1995)."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.data.text import comparison_key
from lmcore.errors import DataError, InputError, OptionError, StorageError
from lmcore.models.label_rows import widened_labels
from lmcore.settings import Settings
from lmcore.tasks.base import Task
from lmcore.training.config import TrainConfig
from lmcore.training.continual.lineage import Earlier, earlier_data, lineage
from lmcore.training.kept import kept_evaluations
from lmcore.training.rows import RunRows
from lmcore.types import SPLITS

_TRAIN, _DEV = 1, 2


def with_earlier_rows(config: TrainConfig, task: Task, data: TextDataset, settings: Settings) -> RunRows:
    """Return the new rows with some of the earlier ones, and the labels of both.

    The train split gets ``replay`` earlier rows for each new one, as far as there are so many, in the same shares of data
    sets and classes as they have among all earlier rows. The dev split gets as many earlier rows as it has new ones at
    most, whether rows are replayed or not: the epoch that is kept is then not the one that forgot the most. Earlier rows
    whose text stands anywhere in the new data are left out, and so are those whose text stands in another split of any
    earlier data set, or among the test rows of others that one of the versions was measured on: what is measured
    afterwards was then neither learnt nor chosen by.

    Args:
        config: which version goes on, and how much is replayed.
        task: the task.
        data: the new data set, split.
        settings: the workspace.

    Raises:
        DataError: rows that cannot be trained on, or earlier data that are needed and not stored any more.
        OptionError: the version does another task.
        InputError: there is no such version.
    """
    version = lineage(config.model, settings)[0]
    if version.task != task.name:
        raise OptionError(f"{version.ref} does {version.task}: go on with data for that, or choose another version.")
    earlier = earlier_data(config.model, settings)
    check_earlier(config, earlier)
    train, dev = data.part("train"), data.part("dev")
    known = tuple(version.facts.get("labels", ()))
    labels = widened_labels(task, known, task.labels(train.frame))
    task.check(train.frame, f"The train split of {data.name!r}", labels)
    task.check(dev.frame, f"The dev split of {data.name!r}", labels)
    taken = _texts(task, data.frame) | _measured_on(task, config.model, settings)
    learnt, chosen_on, measured = (
        {text for known in earlier.data for text in _texts(task, known.part(split).frame)} for split in SPLITS
    )
    rows = round(config.replay * len(train))
    replayed = _drawn(task, earlier, "train", taken | chosen_on | measured, rows, [config.seed, _TRAIN])
    beside = _drawn(task, earlier, "dev", taken | learnt | measured, len(dev), [config.seed, _DEV])
    return RunRows(
        train=_joined(task, train, replayed),
        dev=_joined(task, dev, beside),
        labels=labels,
        facts={
            "earlier_data": earlier.names,
            "earlier_data_gone": list(earlier.gone),
            "replayed_rows": len(replayed),
            "earlier_dev_rows": len(beside),
        },
    )


def check_earlier(config: TrainConfig, earlier: Earlier) -> None:
    """Refuse what needs earlier data where none of them are stored any more.

    Raises:
        DataError: saying what can be done without them.
    """
    if earlier.data:
        return
    gone = ", ".join(earlier.gone)
    if config.replay > 0:
        raise DataError(
            f"{config.model} was trained on {gone}, which is not stored any more, so that no row of it can be replayed: "
            "set replay to 0; the anchor lwf needs no earlier data."
        )
    if config.anchor == "ewc":
        raise DataError(
            f"{config.model} was trained on {gone}, which is not stored any more, and the anchor ewc measures on it which "
            "weights matter: choose the anchor lwf, which needs no earlier data."
        )


def sample_rows(strata: "pd.Series[str]", count: int, seed: list[int]) -> np.ndarray:
    """Return the positions of rows drawn without replacement so that each stratum has its share to within one row.

    Args:
        strata: the stratum of each row.
        count: how many to draw; all rows where there are no more.
        seed: of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(strata))
    if count >= len(strata):
        return np.arange(len(strata))
    order = order[np.argsort(strata.to_numpy(dtype=str)[order], kind="stable")]
    places = np.floor((np.arange(count) + 0.5) * len(strata) / max(count, 1)).astype(int)
    chosen: np.ndarray = np.sort(order[places])
    return chosen


def earlier_rows(task: Task, earlier: Earlier, split: str) -> pd.DataFrame:
    """Return the rows of a split of all earlier data in the task's columns, with ``stratum``: data set and class.

    Raises:
        DataError: the data sets differ in the columns that the model reads.
    """
    parts = []
    for data in earlier.data:
        frame = data.part(split).frame
        strata = task.strata(frame)
        classes = strata.astype(str) if strata is not None else pd.Series("", index=frame.index)
        parts.append(frame[_columns(task, frame)].assign(stratum=f"{data.ref} " + classes))
    for part in parts[1:]:
        _same_columns(task, parts[0], part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _measured_on(task: Task, model: str, settings: Settings) -> set[str]:
    """Return the texts of all test rows on which the version or one before it was measured, where they are stored."""
    store, found = DatasetStore(settings.workspace), set[str]()
    versions = [str(version.ref) for version in lineage(model, settings)]
    kept = [item for item in kept_evaluations(settings.workspace) if item.version in versions and item.split == "test"]
    for name in dict.fromkeys(item.data for item in kept):
        with suppress(InputError, DataError, StorageError):
            found |= _texts(task, store.load(name).frame)
    return found


def _texts(task: Task, frame: pd.DataFrame) -> set[str]:
    return set(task.texts(frame).map(comparison_key))


def _drawn(task: Task, earlier: Earlier, split: str, taken: set[str], count: int, seed: list[int]) -> pd.DataFrame:
    """Return earlier rows whose texts are not among those that are taken, each text once."""
    rows = earlier_rows(task, earlier, split)
    if rows.empty or not count:
        return rows.head(0)
    keys = task.texts(rows).map(comparison_key)
    rows = rows[~keys.isin(taken) & ~keys.duplicated()].reset_index(drop=True)
    return rows.iloc[sample_rows(rows["stratum"], count, seed)]


def _joined(task: Task, part: TextDataset, earlier: pd.DataFrame) -> TextDataset:
    """Return a part of the new data with earlier rows after it; they are numbered on from its last row."""
    if earlier.empty:
        return part
    _same_columns(task, part.frame, earlier)
    columns = _columns(task, part.frame)
    first = int(part.frame["id"].max()) + 1
    numbered = earlier[columns].assign(id=np.arange(first, first + len(earlier)))
    frame = pd.concat([part.frame[["id", *columns]], numbered[["id", *columns]]], ignore_index=True)
    return replace(part, frame=frame)


def _columns(task: Task, frame: pd.DataFrame) -> list[str]:
    return [column.name for column in task.columns if column.name in frame.columns]


def _same_columns(task: Task, new: pd.DataFrame, earlier: pd.DataFrame) -> None:
    one, other = _columns(task, new), _columns(task, earlier)
    if one != other:
        raise DataError(
            f"The new rows have the columns {', '.join(one)} and the earlier ones {', '.join(other)}, which a model cannot "
            "learn together: bring both in with the same columns."
        )
