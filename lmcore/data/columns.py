"""Which of a file's columns are the ones that a task reads."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lmcore.data.cells import free_name
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.tasks.base import Task

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
}
_MOST_CLASSES = 100
_LONGEST_CLASS = 60


def known_names(task: Task) -> set[str]:
    """Return every column name that a task recognises, and those that data sets often have besides."""
    return {alias.casefold() for column in task.columns for alias in (column.name, *column.aliases)} | {"id", "split"}


def canonical_frame(
    table: pd.DataFrame,
    task: Task,
    what: str,
    columns: Mapping[str, str | int] | None = None,
    *,
    unlabelled: bool = False,
) -> pd.DataFrame:
    """Name and order a table's columns as every stage expects them.

    Args:
        table: columns of strings.
        task: says which columns it reads.
        what: the file's name, for messages.
        columns: the task's column to the file's, by name or by position from 0; what is left out is found by name.
        unlabelled: whether the columns that people label may be missing; they are then empty.

    Returns:
        ``id``, the task's columns (white space around a label is taken away), ``split`` where the file has a column
        of that name with nothing but train, dev and test in it, then the other columns. Cells are in the form in which
        the task keeps them.

    Raises:
        DataError: a column is missing (the message lists the file's columns), or a cell is not as the task needs it.
        OptionError: ``columns`` names a column that the task does not have.
    """
    chosen = _chosen(table, task, what, columns or {}, may_lack=labelled_columns(task) if unlabelled else [])
    labels = {column.name for column in task.columns if column.role == "label"}
    frame = pd.DataFrame({"id": np.arange(len(table), dtype=np.int64)})
    for name, source in chosen.items():
        frame[name] = table[source].str.strip() if name in labels else table[source]
    for name in (name for name in labelled_columns(task) if name not in frame):
        if unlabelled:
            frame[name] = pd.Series([""] * len(table), dtype="str")
    used = set(chosen.values())
    split = next((c for c in table.columns if c.casefold() == "split" and c not in used and _is_split(table[c])), None)
    if split is not None:
        frame["split"] = table[split].str.strip().str.casefold().map(_SPLIT_NAMES).astype("str")
        used.add(split)
    for source in (c for c in table.columns if c not in used):
        taken = [*frame.columns, *(("split",) if "split" not in frame else ())]
        clash = source in taken
        frame[free_name(f"{source} (file)" if clash else source, taken)] = table[source]
    return task.canonical(frame, what)


def labelled_columns(task: Task) -> list[str]:
    """Return the columns that people fill when they label rows: classes, tags and answers that a row must have."""
    return [column.name for column in task.columns if column.required and column.role in {"label", "tags", "answers"}]


def suggest_columns(frame: pd.DataFrame, task: str) -> dict[str, str]:
    """Guess which column of a file is which, by name and then by content: the start values of a form.

    Args:
        frame: the file's columns as strings.
        task: the task's name.

    Returns:
        The task's column to the file's; a column for which nothing suits is left out.
    """
    chosen = _by_name(frame, load_task(task), {})
    for column in load_task(task).columns:
        if column.required and column.name not in chosen:
            free = [c for c in frame.columns if c not in chosen.values() and c.casefold() not in {"id", "split"}]
            guess = _most_class_like(frame, free) if column.role == "label" else _longest(frame, free, chosen)
            if guess is not None:
                chosen[column.name] = guess
    return chosen


def _chosen(
    table: pd.DataFrame, task: Task, what: str, columns: Mapping[str, str | int], *, may_lack: Sequence[str]
) -> dict[str, str]:
    known = [column.name for column in task.columns]
    for name in columns:
        if name not in known:
            raise OptionError(f"The task {task.name} has no column {name!r}; it reads: {', '.join(known)}.")
    given = {name: _locate(table, source, what) for name, source in columns.items()}
    chosen = _by_name(table, task, given)
    for column in task.columns:
        if column.required and column.name not in chosen and column.name not in may_lack:
            raise DataError(
                f"{what} has no column that is called {column.name} or alike ({column.help}): say which of its columns it "
                f"is; it has: {_listed(table)}."
            )
    if len(set(chosen.values())) < len(chosen):
        raise DataError(f"One column of {what} is given twice: give each of {', '.join(chosen)} its own.")
    return {name: chosen[name] for name in known if name in chosen}


def _by_name(table: pd.DataFrame, task: Task, given: Mapping[str, str]) -> dict[str, str]:
    """Complete a choice with the columns whose names the task recognises, the first alias first."""
    lower: dict[str, str] = {}
    for name in table.columns:
        lower.setdefault(name.strip().casefold(), name)
    chosen = dict(given)
    for column in task.columns:
        if column.name not in chosen:
            aliases = (alias.casefold() for alias in (column.name, *column.aliases))
            found = next((lower[a] for a in aliases if a in lower and lower[a] not in chosen.values()), None)
            if found is not None:
                chosen[column.name] = found
    return chosen


def _locate(table: pd.DataFrame, source: str | int, what: str) -> str:
    names = list(table.columns)
    if isinstance(source, str):
        if source not in names:
            raise DataError(f"{what} has no column {source[:80]!r}; it has: {_listed(table)}.")
        return source
    if isinstance(source, bool) or not 0 <= source < len(names):
        raise DataError(f"{what} has no column at position {source}: give 0 to {len(names) - 1}.")
    return str(names[source])


def _listed(table: pd.DataFrame) -> str:
    names = [str(name)[:60] for name in table.columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_split(column: pd.Series) -> bool:
    return bool(column.str.strip().str.casefold().isin(list(_SPLIT_NAMES)).all())


def _most_class_like(frame: pd.DataFrame, free: list[str]) -> str | None:
    """Return the column of fewest, short and repeated values, with two or more of them."""
    counts: dict[str, int] = {}
    for name in free:
        filled = frame[name][frame[name].str.strip() != ""]
        distinct = filled.nunique()
        if 2 <= distinct <= min(_MOST_CLASSES, len(filled) / 2) and filled.str.len().max() <= _LONGEST_CLASS:
            counts[name] = distinct
    return min(counts, key=lambda name: counts[name]) if counts else None


def _longest(frame: pd.DataFrame, free: list[str], chosen: Mapping[str, str]) -> str | None:
    """Return the column with the longest texts on average."""
    lengths = {name: float(frame[name].str.len().mean()) for name in free if name not in chosen.values()}
    return max(lengths, key=lambda name: lengths[name]) if lengths else None
