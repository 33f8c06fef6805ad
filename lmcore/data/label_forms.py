"""What people fill in when they label a row, by task, and whether what they gave can be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from lmcore.data.cells import encodable
from lmcore.data.columns import labelled_columns
from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.tasks.answer_text import place_answers
from lmcore.tasks.answering import write_answers
from lmcore.tasks.base import Task
from lmcore.tasks.bio import (
    Place,
    cut_words,
    spaced_words,
    split_tags,
    strange_tag,
    stretches,
    tags_of,
    to_bio,
    written_spans,
)
from lmcore.tasks.labelled import LabelTask
from lmcore.tasks.multilabel import NONE, read_labels, write_labels
from lmcore.types import Prediction, Span

Form = Literal["class", "classes", "spans", "answer"]
LONGEST_LABEL = 100


@dataclass(frozen=True, slots=True)
class LabelField:
    """One thing to fill in.

    Attributes:
        column: the task's column.
        form: ``class`` (one), ``classes`` (any number), ``spans`` (typed stretches of words) or ``answer`` (one stretch
            or none).
        help: what the column holds.
        choices: the classes or types that are known so far, sorted; none of an answer.
    """

    column: str
    form: Form
    help: str
    choices: tuple[str, ...]


def label_fields(data: TextDataset, given: Iterable[Mapping[str, str]] = ()) -> tuple[LabelField, ...]:
    """Return what is to be filled in for a row of a data set.

    Args:
        data: the data set.
        given: cells that were given already: their classes and types are known too.

    Raises:
        OptionError: the task has nothing that is labelled by hand.
    """
    task = load_task(data.task)
    names = labelled_columns(task)
    if not names:
        raise OptionError(f"{task.title} has no classes, tags or answers to label: bring in rows with their texts.")
    cells = list(given)
    found = []
    for column in (column for column in task.columns if column.name in names):
        form = _form(task, column.role)
        known = {cell for cell in data.frame[column.name]} | {row[column.name] for row in cells if column.name in row}
        choices = sorted({kind for cell in known for kind in _kinds(form, cell)})
        found.append(LabelField(column.name, form, column.help, tuple(choices)))
    return tuple(found)


def has_label(task: Task, frame: pd.DataFrame) -> pd.Series:
    """Say of each row whether all that is labelled by hand is filled, bool."""
    filled = pd.Series(True, index=frame.index)
    for name in labelled_columns(task):
        filled &= frame[name].str.strip() != ""
    return filled


def rows_by_id(frame: pd.DataFrame) -> dict[int, dict[str, str]]:
    """Return the cells of each row by column, by the row's id."""
    return {int(row["id"]): {str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")}


def row_words(task: Task, row: Mapping[str, str]) -> tuple[str, list[Place]]:
    """Return the text whose words are marked, and where they stand: of tags between spaces, of an answer as is usual."""
    text = row[task.required()[-1]]
    tagged = any(column.role == "tags" for column in task.columns)
    return text, spaced_words(text) if tagged else cut_words(text)


def check_cells(task: Task, row: Mapping[str, str], cells: Mapping[str, str]) -> dict[str, str]:
    """Return what was given for a row in the form in which the task keeps it.

    Args:
        task: the task.
        row: the row's cells by column, with ``id``.
        cells: the label's cells by column.

    Raises:
        DataError: one is missing, or does not fit the row; the message says what would be right.
    """
    names = labelled_columns(task)
    where = f"The label of row {int(row['id']) + 1}"
    lacking = [name for name in names if not cells.get(name, "").strip()]
    if lacking or set(cells) - set(names):
        raise DataError(f"{where} cannot be used: give {' and '.join(names)}, each filled, and nothing else.")
    forms = {column.name: _form(task, column.role) for column in task.columns if column.name in names}
    try:
        return {name: _checked(task, row, forms[name], encodable(cells[name].strip())) for name in names}
    except ValueError as error:
        raise DataError(f"{where} cannot be used: {error}.") from error


def span_cell(task: Task, row: Mapping[str, str], marked: Sequence[tuple[int, int, str]]) -> str:
    """Return the cell that marks stretches of a row's words.

    Args:
        task: a task with tags or answers.
        row: the row's cells by column.
        marked: first word, the word after the last one, and the type; of an answer, one stretch at most.

    Raises:
        ValueError: the stretches overlap or are outside the text.
    """
    text, places = row_words(task, row)
    if any(column.role == "tags" for column in task.columns):
        return " ".join(tags_of(marked, len(places)))
    return write_answers([(text[places[a][0] : places[b - 1][1]], places[a][0]) for a, b, _ in marked])


def empty_cell(task: Task, field: LabelField, row: Mapping[str, str]) -> str:
    """Return the cell that says that nothing fits: no label, no mark, no answer; of a class there is none."""
    if field.form == "class":
        return ""
    return NONE if field.form == "classes" else span_cell(task, row, [])


def marked_words(task: Task, row: Mapping[str, str], cell: str) -> list[tuple[int, int, str]]:
    """Return the stretches that a cell marks, as words: what `span_cell` undoes.

    An answer that begins or ends inside a word is widened to whole words.
    """
    if any(column.role == "tags" for column in task.columns):
        return stretches(split_tags(cell))
    text, places = row_words(task, row)
    found = []
    for answer, start in place_answers(cell, text)[:1]:
        inside = [n for n, (a, b) in enumerate(places) if a < start + len(answer) and b > start]
        if inside:
            found.append((inside[0], inside[-1] + 1, ""))
    return found


def written_cell(task: Task, field: LabelField, row: Mapping[str, str], cell: str) -> str:
    """Return a cell for people: a class as it is, stretches with their words, a dash where nothing is marked."""
    if field.form in {"class", "classes"}:
        return cell
    text, places = row_words(task, row)
    spans = [Span(places[a][0], places[b - 1][1], kind) for a, b, kind in marked_words(task, row, cell)]
    if field.form == "answer":
        return " / ".join(text[span.start : span.end] for span in spans) or NONE
    return written_spans(text, spans) or NONE


def said_cells(task: Task, row: Mapping[str, str], prediction: Prediction) -> dict[str, str]:
    """Return a model's prediction of a row as the cells that a person would give."""
    found = {}
    for column in (column for column in task.columns if column.name in labelled_columns(task)):
        if column.role == "label":
            found[column.name] = prediction.label
        elif column.role == "answers":
            found[column.name] = write_answers([(prediction.text, span.start) for span in prediction.spans[:1]])
        else:
            places = row_words(task, row)[1]
            firsts = {a: n for n, (a, _) in enumerate(places)}
            ends = {b: n + 1 for n, (_, b) in enumerate(places)}
            marked = [(firsts[s.start], ends[s.end], s.label) for s in prediction.spans]
            found[column.name] = " ".join(tags_of(marked, len(places)))
    return found


def _form(task: Task, role: str) -> Form:
    if role == "label":
        return "classes" if isinstance(task, LabelTask) and not task.exclusive else "class"
    return "spans" if role == "tags" else "answer"


def _kinds(form: Form, cell: str) -> list[str]:
    if form == "class":
        return [cell] if cell else []
    if form == "classes":
        return read_labels(cell)
    return [kind for *_, kind in stretches(split_tags(cell))] if form == "spans" else []


def _checked(task: Task, row: Mapping[str, str], form: Form, cell: str) -> str:
    if form == "class":
        if len(cell) > LONGEST_LABEL or not cell.isprintable():
            raise ValueError(f"a class is 1 to {LONGEST_LABEL} visible characters")
        return cell
    if form == "classes":
        return write_labels(read_labels(cell))
    text, places = row_words(task, row)
    if form == "answer":
        return write_answers(place_answers(cell, text))
    tags = split_tags(cell)
    if len(tags) != len(places):
        raise ValueError(f"it has {len(tags)} tags for {len(places)} words, give one for each")
    strange = strange_tag(tags)
    if strange is not None:
        raise ValueError(f"{strange[:40]!r} is no tag, write O outside and B-TYPE and I-TYPE inside a stretch")
    return " ".join(to_bio(tags))
