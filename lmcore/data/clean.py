"""Cleaning: rules that mend or drop rows, and the record of what they did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.issues import (
    comparison_keys,
    conflicting_labels,
    duplicate,
    empty_text,
    lacks,
    mend,
    missing_label,
)
from lmcore.data.text import tidy
from lmcore.errors import DataError, OptionError
from lmcore.methods import Method, Option, Registry
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Report, Silent

CLEANING = Registry(
    "cleaning rule",
    Method(
        name="fix_mojibake",
        title="Mend mojibake",
        summary="Undo a wrong decoding: cafÃ© becomes café; full-width punctuation and curly quotes stay.",
        target="lmcore.data.clean:fix_mojibake",
        facts={"roles": ["editable"], "handles": ["mojibake"]},
    ),
    Method(
        name="tidy_space",
        title="Tidy white space",
        summary="Strip the text, make every run of white space one space, and take invisible characters out.",
        target="lmcore.data.clean:tidy_space",
        facts={"roles": ["editable"], "handles": []},
    ),
    Method(
        name="drop_empty",
        title="Drop empty texts",
        summary="Drop rows without a text.",
        target="lmcore.data.clean:drop_empty",
        facts={"roles": ["text"], "handles": ["empty_text"]},
    ),
    Method(
        name="drop_unlabelled",
        title="Drop rows without a label",
        summary="Drop rows whose label is empty.",
        target="lmcore.data.clean:drop_unlabelled",
        facts={"roles": ["answer"], "handles": ["missing_label"]},
    ),
    Method(
        name="resolve_conflicts",
        title="Resolve conflicting labels",
        summary="Where one text has several labels, drop all its rows, or keep those with its most frequent label.",
        target="lmcore.data.clean:resolve_conflicts",
        options=(
            Option(
                "strategy",
                "choice",
                "drop",
                "drop: all rows of such a text go; majority: those with its most frequent label stay, and where labels "
                "tie all go.",
                choices=("drop", "majority"),
            ),
        ),
        facts={"roles": ["text", "label"], "handles": ["conflicting_labels"]},
    ),
    Method(
        name="drop_duplicates",
        title="Drop duplicates",
        summary="Keep the first of the rows with the same text and label; letter case and white space do not count.",
        target="lmcore.data.clean:drop_duplicates",
        facts={"roles": ["text", "whole"], "handles": ["duplicate"]},
    ),
)


@dataclass(frozen=True, eq=False)
class Cleaning:
    """A cleaned data set and what was done to it.

    Attributes:
        data: the rows that are left, not stored yet; ids are those of the data set before.
        changes: ``id``, ``rule``, ``action`` (dropped or changed), and the text ``before`` and ``after`` (empty where
            the row was dropped), in the order of the rules.
        counts: rule to number of rows, for every rule that was applied.
        fingerprint: of the data set before.
    """

    data: TextDataset
    changes: pd.DataFrame
    counts: Mapping[str, int]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each change."""
        return self.changes


def clean_dataset(
    data: TextDataset,
    rules: Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    *,
    report: Report | None = None,
) -> Cleaning:
    """Apply cleaning rules in the order of `CLEANING`, whatever order they are given in.

    Args:
        data: any data set; it is not changed.
        rules: names out of `CLEANING`; all where it is None.
        options: rule to its options.
        report: hears how far it is.

    Returns:
        The cleaned data set and every change.

    Raises:
        UnknownError: there is no such rule; the message lists those that exist.
        OptionError: an option is not valid, or belongs to a rule that is not applied.
        DataError: no row would be left, or a rule needs a column that the data set lacks.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    checked = _checked(data, rules, options or {})
    frame, task = data.frame, load_task(data.task)
    changes = []
    for number, (rule, values) in enumerate(checked.items()):
        report.check()
        report.progress(number / len(checked), CLEANING[rule].title)
        after = CLEANING[rule].load()(frame, task, **values)
        changes.append(_changes(rule, frame, after, task))
        frame = after
    if frame.empty:
        raise DataError(f"Cleaning would leave no row of {data.name!r}: apply fewer rules, or load other data.")
    every = pd.concat(changes, ignore_index=True) if changes else _changes("", frame, frame, task)
    return Cleaning(
        data=data.derive(frame, name="clean", rules=list(checked), options={r: v for r, v in checked.items() if v}),
        changes=every,
        counts={rule: len(table) for rule, table in zip(checked, changes, strict=True)},
        fingerprint=data.fingerprint,
    )


def fix_mojibake(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows with wrong decodings undone."""
    return frame.assign(**{name: frame[name].map(mend) for name in task.written(frame)})


def tidy_space(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows with tidy white space."""
    return frame.assign(**{name: frame[name].map(tidy) for name in task.written(frame)})


def drop_empty(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows that have a text."""
    return _without(frame, empty_text(frame, task))


def drop_unlabelled(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows that have a label, or whatever else the task wants to be found."""
    return _without(frame, missing_label(frame, task))


def resolve_conflicts(frame: pd.DataFrame, task: Task, *, strategy: str) -> pd.DataFrame:
    """Return the rows without those whose text has several labels, or with its most frequent one alone."""
    members = conflicting_labels(frame, task)
    if strategy == "drop":
        return _without(frame, members)
    rows = frame[frame["id"].isin(members["id"])]
    keys = comparison_keys(rows, task)
    votes = rows.groupby([keys.rename("key"), "label"]).size().rename("votes").reset_index()
    most = votes[votes["votes"] == votes.groupby("key")["votes"].transform("max")]
    winners = most.drop_duplicates("key", keep=False).set_index("key")["label"]
    return _without(frame, rows[keys.map(winners) != rows["label"]])


def drop_duplicates(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the rows without those that repeat an earlier one."""
    return _without(frame, duplicate(frame, task))


def _checked(
    data: TextDataset, rules: Iterable[str] | None, options: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, Any]]:
    """Return the rules to apply, in order, each with all its options.

    Without a choice these are all that go with the data; a rule that was asked for and does not is refused.
    """
    task = load_task(data.task)
    lacking = {rule: lacks(data.frame, task, method.facts["roles"]) for rule, method in CLEANING.items()}
    wanted = {CLEANING[rule].name for rule in rules or [] if rule} if rules is not None else set()
    if rules is None:
        wanted = {rule for rule in CLEANING if not lacking[rule]}
    for rule in options:
        if CLEANING[rule].name not in wanted:
            raise OptionError(f"There are options for {rule}, which is not applied: add it to the rules.")
    for rule in wanted:
        if lacking[rule]:
            raise DataError(f"{rule} cannot be applied to {data.name!r}, since {lacking[rule]}: leave this rule out.")
    return {rule: method.check(options.get(rule, {})) for rule, method in CLEANING.items() if rule in wanted}


def _without(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    return frame[~frame["id"].isin(rows["id"])]


def _changes(rule: str, before: pd.DataFrame, after: pd.DataFrame, task: Task) -> pd.DataFrame:
    texts = task.texts(before)
    left = before["id"].map(pd.Series(task.texts(after).to_numpy(), index=after["id"].to_numpy()))
    dropped = ~before["id"].isin(after["id"])
    touched = dropped | (left != texts)
    return pd.DataFrame(
        {
            "id": before.loc[touched, "id"],
            "rule": rule,
            "action": dropped[touched].map({True: "dropped", False: "changed"}).astype("str"),
            "before": texts[touched],
            "after": left[touched].fillna("").astype("str"),
        }
    ).reset_index(drop=True)
