"""Finding defects in a data set's rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.text import comparison_key, is_blank
from lmcore.methods import Method, Registry
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Report, Silent

ISSUES = Registry(
    "issue",
    Method(
        name="missing_label",
        title="Missing label",
        summary="The label is empty.",
        target="lmcore.data.issues:missing_label",
        facts={"roles": ["answer"]},
    ),
    Method(
        name="empty_text",
        title="Empty text",
        summary="The text is empty, or has nothing but white space and invisible characters.",
        target="lmcore.data.issues:empty_text",
        facts={"roles": ["text"]},
    ),
    Method(
        name="duplicate",
        title="Duplicate",
        summary="An earlier row has the same text and label; letter case and white space do not count.",
        target="lmcore.data.issues:duplicate",
        facts={"roles": ["text", "whole"]},
    ),
    Method(
        name="conflicting_labels",
        title="Conflicting labels",
        summary="The same text has different labels in different rows.",
        target="lmcore.data.issues:conflicting_labels",
        facts={"roles": ["text", "label"]},
    ),
    Method(
        name="mojibake",
        title="Mojibake",
        summary="The text was once decoded with the wrong encoding, such as cafÃ© for café, and can be mended.",
        target="lmcore.data.issues:mojibake",
        facts={"roles": ["text"]},
    ),
)

NOT_CHECKED: Mapping[str, str] = {
    "near_duplicate": "Near-duplicates, the same text in slightly other words, are not checked yet.",
    "typo": "Typos are not checked yet.",
    "meaningless_text": "Texts without meaning, such as random keys, are not checked yet.",
    "unknown_word": "Words that a model does not know are not checked yet.",
    "label_error": "Labels that do not fit their text are not checked yet.",
    "outlier": "Texts unlike all others are not checked yet.",
}


@dataclass(frozen=True, eq=False)
class DataIssues:
    """Defects that were found.

    Attributes:
        frame: ``id``, ``kind`` and ``detail`` (a few words), by kind and then by row; a row may have several.
        counts: kind to number of rows, for every kind that was checked.
        checked: the kinds that were checked.
        not_checked: further kinds, each with a sentence that says why it was not.
        fingerprint: of the data set.
    """

    frame: pd.DataFrame
    counts: Mapping[str, int]
    checked: tuple[str, ...]
    not_checked: Mapping[str, str]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each defect."""
        return self.frame


def find_issues(data: TextDataset, kinds: Iterable[str] | None = None, *, report: Report | None = None) -> DataIssues:
    """Look for defects.

    Args:
        data: any data set.
        kinds: names out of `ISSUES`; all where it is None.
        report: hears how far it is.

    Returns:
        The defects, and what was not checked.

    Raises:
        UnknownError: there is no such kind; the message lists those that exist.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    wanted = list(ISSUES) if kinds is None else list(dict.fromkeys(kinds))
    not_checked: dict[str, str] = {}
    found: dict[str, pd.DataFrame] = {}
    task = load_task(data.task)
    for number, kind in enumerate(wanted):
        report.check()
        report.progress(number / len(wanted), f"Checking for {ISSUES[kind].title.lower()}")
        lacking = lacks(data.frame, task, ISSUES[kind].facts["roles"])
        if lacking:
            not_checked[kind] = f"{ISSUES[kind].title} is not checked: {lacking}."
        else:
            found[kind] = ISSUES[kind].load()(data.frame, task)
    not_checked |= {kind: f"{ISSUES[kind].title} was not asked for." for kind in ISSUES if kind not in wanted}
    tables = [table.assign(kind=kind)[["id", "kind", "detail"]] for kind, table in found.items() if len(table)]
    frame = pd.concat(tables, ignore_index=True) if tables else _table([], []).assign(kind="")[["id", "kind", "detail"]]
    return DataIssues(
        frame=frame,
        counts={kind: len(table) for kind, table in found.items()},
        checked=tuple(found),
        not_checked={**not_checked, **NOT_CHECKED},
        fingerprint=data.fingerprint,
    )


def lacks(frame: pd.DataFrame, task: Task, roles: Iterable[str]) -> str:
    """Say in a few words which column a check needs that is not there; empty where none is.

    Args:
        frame: the rows.
        task: their task.
        roles: ``text`` for what is read, ``answer`` for what is to be found, ``whole`` for both where the task wants
            something to be found, ``label`` for a class, ``editable`` for texts that may be changed without moving marks in
            them.
    """
    if "label" in roles and task.strata(frame) is None:
        return "the data set has no column label"
    wanted = [column.name for column in task.columns if column.role != "text" and column.required]
    if ("answer" in roles or ("whole" in roles and wanted)) and not task.answers(frame):
        return f"the data set has no column {(wanted or task.outputs() or ['label'])[0]}"
    if "editable" in roles and not task.editable:
        return f"the words of {task.title.lower()} data carry marks that would move"
    return ""


def missing_label(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return rows that lack a label, or whatever else the task wants to be found: ``id`` and ``detail``."""
    empty = pd.Series(False, index=frame.index)
    for name in task.answers(frame):
        empty |= _blank(frame[name])
    ids = frame.loc[empty, "id"].tolist()
    return _table(ids, [f"no {task.answers(frame)[0]}"] * len(ids))


def empty_text(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return rows in one of whose texts nothing can be seen: ``id`` and ``detail``."""
    found: dict[int, str] = {}
    for name in task.required():
        for row, text in zip(*(frame.loc[_blank(frame[name]), column] for column in ("id", name)), strict=True):
            found.setdefault(int(row), f"white space only in {name}" if text else f"no {name}")
    return _table(list(found), list(found.values()))


def duplicate(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return rows that repeat the texts and labels of an earlier one: ``id`` and ``detail``."""
    rows = _keyed(frame, task)
    repeats = rows[rows.duplicated(["key", "label"])]
    first = rows.drop_duplicates(["key", "label"]).set_index(["key", "label"])["id"]
    earlier = [first[key, label] for key, label in zip(repeats["key"], repeats["label"], strict=True)]
    return _table(repeats["id"].tolist(), [f"repeats row {row + 1}" for row in earlier])


def conflicting_labels(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return all rows of a text that has several labels: ``id`` and ``detail``."""
    rows = _keyed(frame, task)
    members = rows[rows.groupby("key")["label"].transform("nunique") > 1]
    labels = members.groupby("key")["label"].agg(lambda group: ", ".join(sorted(set(group))))
    return _table(members["id"].tolist(), [f"labelled {labels[key][:200]}" for key in members["key"]])


def mojibake(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return rows with a text that was decoded wrongly and can be mended: ``id`` and ``detail``."""
    found: dict[int, str] = {}
    for name in task.written(frame):
        mended = frame[name].map(mend)
        for row in frame.index[mended != frame[name]]:
            found.setdefault(int(frame["id"][row]), f"reads: {mended[row][:80]}")
    return _table(list(found), list(found.values()))


def mend(text: str) -> str:
    """Undo wrong decodings, and nothing else: quotes, full-width characters, ligatures and entities stay."""
    from ftfy import fix_encoding

    return str(fix_encoding(text))


def comparison_keys(frame: pd.DataFrame, task: Task) -> pd.Series:
    """Return what the texts of two rows must share to be duplicates; see `comparison_key`."""
    return task.texts(frame).map(comparison_key)


def _keyed(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return ``id``, ``key`` and ``label`` of the rows that have both texts and labels."""
    whole = pd.Series(True, index=frame.index)
    for name in (*task.required(), *task.answers(frame)):
        whole &= ~_blank(frame[name])
    rows = frame[whole]
    label = pd.Series("", index=rows.index, dtype="str")
    for name in task.answers(frame):
        label = label + (rows[name] if label.empty or not label.iloc[0] else "\n" + rows[name])
    return pd.DataFrame({"id": rows["id"], "key": comparison_keys(rows, task), "label": label})


def _blank(column: pd.Series) -> pd.Series:
    return column.map(is_blank).astype(bool)


def _table(ids: list[int], details: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": pd.Series(ids, dtype="int64"), "detail": pd.Series(details, dtype="str")})
