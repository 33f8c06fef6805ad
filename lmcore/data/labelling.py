"""Labelling by hand: which row is next, how far it is, and keeping the labels as a new data set version."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from lmcore.audit import audited
from lmcore.data.columns import labelled_columns
from lmcore.data.dataset import TextDataset
from lmcore.data.label_forms import has_label
from lmcore.data.label_store import GivenLabel
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, OptionError
from lmcore.settings import Workspace
from lmcore.tasks import load_task

Rows = Literal["unlabelled", "all"]
LABELLED_BY = "labelled by"
COUNTED = ("new", "changed", "confirmed", "unsettled")


@dataclass(frozen=True, slots=True)
class LabelProgress:
    """How far labelling is.

    Attributes:
        rows: how many rows the queue is about.
        labelled: how many of them have been given a label.
        skipped: how many of them the author skipped.
        authors: author to the number of rows that they labelled, over the whole data set.
        shared: rows that several authors labelled.
        agreed: of these, those on which all said the same.
    """

    rows: int
    labelled: int
    skipped: int
    authors: Mapping[str, int]
    shared: int
    agreed: int


def queue_rows(data: TextDataset, *, rows: Rows = "unlabelled", split: str = "") -> list[int]:
    """Return the ids of the rows that a queue is about, in the order of the data set.

    Args:
        data: the data set.
        rows: those without a label, or all of them, to check the labels that are there.
        split: one split alone; empty for the whole.

    Raises:
        DataError: an id stands in two rows, or there is no such split.
        OptionError: ``rows`` is neither.
    """
    if rows not in get_args(Rows):
        raise OptionError(f"The rows to label are {rows!r}: give {' or '.join(get_args(Rows))}.")
    frame = data.part(split).frame if split else data.frame
    if not data.frame["id"].is_unique:
        raise DataError(
            f"{data.name!r} has an id twice, so that labels could not be told apart: bring its file in again."
        )
    kept = frame if rows == "all" else frame[~has_label(load_task(data.task), frame)]
    return [int(row) for row in kept["id"]]


def label_queue(
    wanted: Sequence[int],
    labels: Sequence[GivenLabel],
    author: str,
    *,
    order: Sequence[int] | None = None,
    again: bool = False,
    taken: Collection[int] = (),
) -> list[int]:
    """Return the rows that an author is still to be asked, the next one first.

    Args:
        wanted: what the queue is about.
        labels: what was said so far.
        author: who is asked.
        order: row ids in the order in which they are wanted; rows that it lacks come last.
        again: ask for rows that somebody else labelled too.
        taken: rows that others are looking at now.
    """
    mine = {label.row for label in labels if label.author == author}
    done = mine if again else mine | {label.row for label in labels if label.cells is not None}
    place = {row: number for number, row in enumerate(order or ())}
    left = [row for row in wanted if row not in done and row not in taken]
    return sorted(left, key=lambda row: place.get(row, len(place)))


def label_progress(
    wanted: Sequence[int], labels: Sequence[GivenLabel], author: str = "", *, again: bool = False
) -> LabelProgress:
    """Count what is labelled; with ``again``, of the queue's rows those that the author labelled alone count."""
    given = [label for label in labels if label.cells is not None]
    counted = {label.row for label in given if not again or label.author == author}
    skipped = {label.row for label in labels if label.cells is None and label.author == author} - counted
    by_row: dict[int, list[Mapping[str, str]]] = {}
    for label in given:
        by_row.setdefault(label.row, []).append(label.cells or {})
    shared = [said for said in by_row.values() if len(said) > 1]
    return LabelProgress(
        rows=len(wanted),
        labelled=len(counted & set(wanted)),
        skipped=len(skipped & set(wanted)),
        authors=dict(Counter(label.author for label in given)),
        shared=len(shared),
        agreed=sum(all(cells == said[0] for cells in said) for said in shared),
    )


def keep_labels(
    data: TextDataset,
    labels: Sequence[GivenLabel],
    *,
    authors: Collection[str] | None = None,
    unlabelled: bool = False,
) -> TextDataset:
    """Make a data set with the labels that people gave.

    Where authors differ on a row, what most of them said is taken; where no label has most voices the row stays as it
    was, and is counted as unsettled. The column ``labelled by`` names who gave a row's label.

    Args:
        data: the data set that was labelled.
        labels: what was said.
        authors: whose labels are taken; everybody's where None.
        unlabelled: keep the rows that still have no label; training refuses them until they have one or are dropped.

    Returns:
        A new data set, not stored yet; its operation says how many rows each author labelled, and how many labels are
        new, changed, confirmed and unsettled.

    Raises:
        DataError: none of the authors has labelled a row of it, or no row would be left.
    """
    task, ids = load_task(data.task), set(data.frame["id"])
    taken = [
        g for g in labels if g.cells is not None and g.row in ids and (authors is None or g.author in set(authors))
    ]
    if not taken:
        raise DataError(f"Nobody of those chosen has labelled a row of {data.called} yet: label one first.")
    settled = _settle(taken)
    before = has_label(task, data.frame)
    frame = data.frame.copy()
    index = pd.Series(frame.index, index=frame["id"])
    if LABELLED_BY not in frame:
        frame[LABELLED_BY] = pd.Series([""] * len(frame), dtype="str", index=frame.index)
    counts = Counter({"new": 0, "changed": 0, "confirmed": 0})
    for row, (cells, names) in settled.items():
        place = index[row]
        same = all(frame.at[place, name] == cell for name, cell in cells.items())
        counts["new" if not before[place] else "confirmed" if same else "changed"] += 1
        for name, cell in {**cells, LABELLED_BY: ", ".join(names)}.items():
            frame.at[place, name] = cell
    left = frame if unlabelled else frame[has_label(task, frame)]
    if left.empty:
        raise DataError(f"No row of {data.called} would have a label: label one first.")
    return data.derive(
        left,
        name="label",
        authors=dict(sorted(Counter(g.author for g in taken).items())),
        **counts,
        unsettled=len({g.row for g in taken}) - len(settled),
        left_out=len(frame) - len(left),
    )


def store_labels(
    workspace: Workspace,
    data: TextDataset,
    labels: Sequence[GivenLabel],
    *,
    authors: Collection[str] | None = None,
    unlabelled: bool = False,
) -> TextDataset:
    """Store a data set with the labels that people gave as its next version, and write into the audit log whose they are.

    Args:
        workspace: where it is stored, and who does it.
        data: the data set that was labelled.
        labels: what was said.
        authors: whose labels are taken; everybody's where None.
        unlabelled: keep the rows that still have no label.

    Raises:
        AccessError: the workspace's actor may not label.
        DataError: none of the authors has labelled a row of it, or no row would be left.
        StorageError: the disk is full or refuses; nothing is left behind.
    """
    with audited(workspace, "label", str(data.ref or data.name)) as noted:
        made = keep_labels(data, labels, authors=authors, unlabelled=unlabelled)
        kept = DatasetStore(workspace).save(made)
        said = made.operation
        noted |= {"object": str(kept.ref), **{name: int(said[name]) for name in COUNTED}}
        noted["authors"] = ", ".join(f"{name} {count}" for name, count in said["authors"].items())
    return kept


def label_columns(data: TextDataset) -> list[str]:
    """Return the columns of a data set that are labelled by hand."""
    return labelled_columns(load_task(data.task))


def _settle(labels: Sequence[GivenLabel]) -> dict[int, tuple[Mapping[str, str], list[str]]]:
    """Return the label with most voices of each row, and who gave it; rows without one are left out."""
    by_row: dict[int, dict[tuple[tuple[str, str], ...], list[str]]] = {}
    for label in labels:
        said = tuple(sorted((label.cells or {}).items()))
        by_row.setdefault(label.row, {}).setdefault(said, []).append(label.author)
    settled: dict[int, tuple[Mapping[str, str], list[str]]] = {}
    for row, voices in by_row.items():
        most = max(len(names) for names in voices.values())
        best = [said for said, names in voices.items() if len(names) == most]
        if len(best) == 1:
            settled[row] = (dict(best[0]), sorted(voices[best[0]]))
    return settled
