"""Finding defects in a data set's rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.text import comparison_key, is_blank
from lmcore.methods import Method, Registry
from lmcore.types import Report, Silent

ISSUES = Registry(
    "issue",
    Method(
        name="missing_label",
        title="Missing label",
        summary="The label is empty.",
        target="lmcore.data.issues:missing_label",
        facts={"columns": ["label"]},
    ),
    Method(
        name="empty_text",
        title="Empty text",
        summary="The text is empty, or has nothing but white space and invisible characters.",
        target="lmcore.data.issues:empty_text",
        facts={"columns": ["text"]},
    ),
    Method(
        name="duplicate",
        title="Duplicate",
        summary="An earlier row has the same text and label; letter case and white space do not count.",
        target="lmcore.data.issues:duplicate",
        facts={"columns": ["text", "label"]},
    ),
    Method(
        name="conflicting_labels",
        title="Conflicting labels",
        summary="The same text has different labels in different rows.",
        target="lmcore.data.issues:conflicting_labels",
        facts={"columns": ["text", "label"]},
    ),
    Method(
        name="mojibake",
        title="Mojibake",
        summary="The text was once decoded with the wrong encoding, such as cafÃ© for café, and can be mended.",
        target="lmcore.data.issues:mojibake",
        facts={"columns": ["text"]},
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
    for number, kind in enumerate(wanted):
        report.check()
        report.progress(number / len(wanted), f"Checking for {ISSUES[kind].title.lower()}")
        missing = [column for column in ISSUES[kind].facts["columns"] if column not in data.frame.columns]
        if missing:
            not_checked[kind] = f"{ISSUES[kind].title} is not checked: the data set has no column {missing[0]}."
        else:
            found[kind] = ISSUES[kind].load()(data.frame)
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


def missing_label(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows without a label: ``id`` and ``detail``."""
    ids = frame.loc[_blank(frame["label"]), "id"].tolist()
    return _table(ids, ["no label"] * len(ids))


def empty_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows in whose text nothing can be seen: ``id`` and ``detail``."""
    texts = frame.loc[_blank(frame["text"]), ["id", "text"]]
    return _table(texts["id"].tolist(), ["white space only" if text else "no text" for text in texts["text"]])


def duplicate(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that repeat the text and label of an earlier one: ``id`` and ``detail``."""
    rows = _keyed(frame)
    repeats = rows[rows.duplicated(["key", "label"])]
    first = rows.drop_duplicates(["key", "label"]).set_index(["key", "label"])["id"]
    earlier = [first[key, label] for key, label in zip(repeats["key"], repeats["label"], strict=True)]
    return _table(repeats["id"].tolist(), [f"repeats row {row + 1}" for row in earlier])


def conflicting_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return all rows of a text that has several labels: ``id`` and ``detail``."""
    rows = _keyed(frame)
    members = rows[rows.groupby("key")["label"].transform("nunique") > 1]
    labels = members.groupby("key")["label"].agg(lambda group: ", ".join(sorted(set(group))))
    return _table(members["id"].tolist(), [f"labelled {labels[key]}" for key in members["key"]])


def mojibake(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose text was decoded wrongly and can be mended: ``id`` and ``detail``."""
    mended = frame["text"].map(mend)
    rows = frame.loc[mended != frame["text"], "id"]
    return _table(rows.tolist(), [f"reads: {text[:80]}" for text in mended[rows.index]])


def mend(text: str) -> str:
    """Undo wrong decodings, and nothing else: quotes, full-width characters, ligatures and entities stay."""
    from ftfy import fix_encoding

    return str(fix_encoding(text))


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``id``, ``key`` and ``label`` of the rows that have both a text and a label."""
    whole = frame.loc[~_blank(frame["text"]) & ~_blank(frame["label"]), ["id", "text", "label"]]
    return whole.assign(key=whole["text"].map(comparison_key))


def _blank(column: pd.Series) -> pd.Series:
    return column.map(is_blank).astype(bool)


def _table(ids: list[int], details: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": pd.Series(ids, dtype="int64"), "detail": pd.Series(details, dtype="str")})
