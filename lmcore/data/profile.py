"""What is in a data set: a description with a verdict in plain sentences."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.issues import DataIssues, find_issues
from lmcore.data.text import is_blank, is_chinese, words
from lmcore.errors import DataError
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Part, Report, Silent

LANGUAGE_ROWS = 500
_LANGUAGE_CHARACTERS = 2000
_LEAST_CHARACTERS = 20
_LEAST_CHINESE = 10
LONG_TEXT = 10_000
FEW_ROWS = 10

_SENTENCES = {
    "missing_label": ("{n} row has no label.", "{n} rows have no label."),
    "empty_text": ("{n} row has no text.", "{n} rows have no text."),
    "duplicate": ("{n} row repeats an earlier one.", "{n} rows repeat an earlier one."),
    "conflicting_labels": ("", "{n} rows share their text with a row of another label."),
    "mojibake": ("{n} text was decoded wrongly.", "{n} texts were decoded wrongly."),
}


@dataclass(frozen=True, eq=False)
class DataProfile:
    """A data set described.

    Attributes:
        rows: their number.
        columns: ``column``, ``missing`` (rows without a value), ``share`` (of all rows, 0 to 1) and ``distinct`` values.
        labels: ``label``, ``rows`` and ``share`` (of the labelled rows, 0 to 1), the most frequent first.
        lengths: ``id``, ``label``, ``characters`` and ``words`` (Chinese is cut by dictionary) of every text.
        languages: ISO 639 code to share of the texts it was told for, 0 to 1, the most frequent first.
        issues: the defects that were found.
        imbalance: rows of the largest class over those of the smallest, 1 or more; 0 without classes.
        verdict: what matters, in plain sentences.
        fingerprint: of the data set.
    """

    rows: int
    columns: pd.DataFrame
    labels: pd.DataFrame
    lengths: pd.DataFrame
    languages: Mapping[str, float]
    issues: DataIssues
    imbalance: float
    verdict: tuple[str, ...]
    fingerprint: str

    def describe(self) -> dict[str, Any]:
        """Return a summary as JSON-like values; lengths come as smallest, median, mean and largest."""
        return {
            "rows": self.rows,
            "columns": self.columns.to_dict("records"),
            "labels": self.labels.to_dict("records"),
            "lengths": {unit: _summary(self.lengths[unit]) for unit in ("characters", "words")},
            "languages": dict(self.languages),
            "issues": dict(self.issues.counts),
            "not_checked": dict(self.issues.not_checked),
            "imbalance": self.imbalance,
            "verdict": list(self.verdict),
            "fingerprint": self.fingerprint,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the lengths, one row for each text."""
        return self.lengths


def profile_dataset(data: TextDataset, *, report: Report | None = None) -> DataProfile:
    """Describe a data set.

    Languages are told for at most `LANGUAGE_ROWS` texts, evenly spaced, without those that are too short to tell
    (py3langid, after Lui & Baldwin 2012).

    Args:
        data: any data set.
        report: hears how far it is.

    Raises:
        DataError: it has no rows.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    frame = data.frame
    if frame.empty:
        raise DataError(f"{data.name!r} has no rows: choose another split or data set.")
    issues = find_issues(data, report=Part(report, 0.0, 0.7))
    task = load_task(data.task)
    labels = _labels(frame, task)
    report.check()
    report.progress(0.7, "Counting words")
    lengths = _lengths(frame, task)
    report.check()
    report.progress(0.85, "Telling languages")
    languages = _languages(task.texts(frame))
    imbalance = float(labels["rows"].max() / labels["rows"].min()) if len(labels) else 0.0
    return DataProfile(
        rows=len(frame),
        columns=_columns(frame),
        labels=labels,
        lengths=lengths,
        languages=languages,
        issues=issues,
        imbalance=imbalance,
        verdict=(
            *_class_sentences(task, labels, imbalance),
            *_issue_sentences(issues),
            *_text_sentences(lengths, languages),
        ),
        fingerprint=data.fingerprint,
    )


def _columns(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in frame.columns if name != "id"]
    missing = [int((frame[name].str.strip() == "").sum()) for name in names]
    return pd.DataFrame(
        {
            "column": names,
            "missing": missing,
            "share": [count / len(frame) for count in missing],
            "distinct": [int(frame[name].nunique()) for name in names],
        }
    )


def _labels(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Count the labels: a row's class, or each row's tags or labels where it has several."""
    counts = Counter(label for row in task.label_lists(frame) for label in row if not is_blank(label))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = pd.DataFrame(ranked, columns=["label", "rows"]).astype({"label": "str", "rows": "int64"})
    return rows.assign(share=rows["rows"] / max(int(rows["rows"].sum()), 1))


def _lengths(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    texts, strata = task.texts(frame), task.strata(frame)
    return pd.DataFrame(
        {
            "id": frame["id"],
            "label": strata if strata is not None else "",
            "characters": texts.map(len).astype("int64"),
            "words": texts.map(lambda text: len(words(text))).astype("int64"),
        }
    )


def _languages(texts: pd.Series) -> dict[str, float]:
    import py3langid

    written = texts[~texts.map(is_blank).astype(bool)].to_numpy()
    places = np.unique(np.linspace(0, len(written) - 1, min(LANGUAGE_ROWS, len(written))).astype(int))
    told = [text[:_LANGUAGE_CHARACTERS] for text in written[places] if _is_tellable(text)]
    counts = Counter(str(py3langid.classify(text)[0]) for text in told)
    return {code: count / len(told) for code, count in counts.most_common()}


def _is_tellable(text: str) -> bool:
    """Say whether a text is long enough: shorter English is taken for Swedish or Latin in one case of three."""
    return len(text) >= (_LEAST_CHINESE if is_chinese(text) else _LEAST_CHARACTERS)


def _class_sentences(task: Task, labels: pd.DataFrame, imbalance: float) -> list[str]:
    if not any(column.role in {"label", "tags"} for column in task.columns):
        return []
    if len(labels) < 2:
        only = f"There is only the class {labels['label'][0]!r}" if len(labels) else "There are no labels"
        return [f"{only}: a classifier needs at least two classes."]
    if imbalance == 1:
        return [f"{len(labels)} classes of the same size."]
    sentences = [f"{len(labels)} classes, the largest has {imbalance:.1f} times the rows of the smallest."]
    small = int((labels["rows"] < FEW_ROWS).sum())
    if small:
        sentences.append(f"{small} class{'es have' if small > 1 else ' has'} fewer than {FEW_ROWS} rows.")
    return sentences


def _issue_sentences(issues: DataIssues) -> list[str]:
    found = [_SENTENCES[kind][count != 1].format(n=count) for kind, count in issues.counts.items() if count]
    return found or ["None of the checked defects was found."]


def _text_sentences(lengths: pd.DataFrame, languages: Mapping[str, float]) -> list[str]:
    sentences = []
    if len(languages) > 1 and next(iter(languages.values())) < 0.9:
        listed = ", ".join(f"{code} {share:.0%}" for code, share in list(languages.items())[:3])
        sentences.append(f"The texts are in several languages: {listed}.")
    longest = int(lengths["characters"].max())
    if longest > LONG_TEXT:
        sentences.append(f"The longest text has {longest:,} characters: models read its beginning alone.")
    return sentences


def _summary(values: pd.Series) -> dict[str, float]:
    return {
        "smallest": int(values.min()),
        "median": float(values.median()),
        "mean": float(values.mean()),
        "largest": int(values.max()),
    }
