"""A test case says what an edit of a text should make of the answer; a suite is a list of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from lmcore.analysis.counterfactual.edit import Edit, columns_of
from lmcore.analysis.suites.expectations import Expectation, check_expectation
from lmcore.errors import DataError, InputError
from lmcore.fingerprint import fingerprint
from lmcore.tasks import load_task
from lmcore.types import Input, check_name

COLUMNS = ("case", "row", "kind", "edit", "text", "edited", "edits", "expectation", "label")
MAX_CASES = 5000
BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Case:
    """One test case.

    Attributes:
        text: an input.
        edited: the same after an edit; equal to ``text`` where only a label is expected.
        expectation: what should become of the answer.
        label: the label that is expected, for ``is`` alone.
        edits: what was changed; found from the texts where empty.
        row: the id of the row that it was made from, or None.
    """

    text: Input
    edited: Input
    expectation: Expectation
    label: str = ""
    edits: tuple[Edit, ...] = ()
    row: int | None = None

    def changes(self) -> tuple[Edit, ...]:
        """Return what was changed, as one edit for each column where nobody said it."""
        return self.edits or difference(self.text, self.edited)

    @property
    def kind(self) -> str:
        """What made the edits, such as ``typos``."""
        return " + ".join(dict.fromkeys(edit.kind for edit in self.changes())) or BY_HAND


@dataclass(frozen=True, eq=False)
class Suite:
    """Test cases of one stored data set version.

    Attributes:
        name: what it is called.
        data: the data set version in text form.
        task: its task.
        cases: the cases, in their order.
        number: which version of the suite, from 1; 0 while it is not stored.
        parameters: how it was made.
    """

    name: str
    data: str
    task: str
    cases: tuple[Case, ...]
    number: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def ref(self) -> str:
        """Its text form: ``name@number``."""
        return f"{self.name}@{self.number}" if self.number else self.name

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the task and of every case."""
        return fingerprint(self.task, [list(_cells(number, case)) for number, case in enumerate(self.cases, 1)])

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each case; of an input with several texts, these are written as JSON."""
        rows = [_cells(number, case) for number, case in enumerate(self.cases, 1)]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        return frame.astype({name: "str" for name in COLUMNS if name not in {"case", "row"}} | {"row": "Int64"})

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        name: str,
        data: str,
        task: str,
        number: int = 0,
        parameters: Mapping[str, Any] | None = None,
    ) -> "Suite":
        """Read what `to_frame` returns, or what somebody wrote: ``text``, ``edited``, ``expectation`` and ``label``.

        Raises:
            InputError: the name is not usable.
            DataError: a case cannot be used; the message names it.
        """
        for column in ("text", "expectation"):
            if column not in frame.columns:
                raise DataError(
                    f"The cases have no column {column}: give text, edited, expectation and, for is, label."
                )
        if not 1 <= len(frame) <= MAX_CASES:
            raise DataError(f"There are {len(frame):,} cases: give 1 to {MAX_CASES:,}.")
        needed = load_task(task).required()
        cases = tuple(_case(number, row, needed) for number, row in enumerate(frame.to_dict("records"), 1))
        return cls(check_name(name, "suite name"), data, task, cases, number, parameters or {})


def difference(before: Input, after: Input) -> tuple[Edit, ...]:
    """Return one edit for each text that differs: all between what both begin and end with."""
    found = []
    new = columns_of(after)
    for column, old in columns_of(before).items():
        text = new.get(column, "")
        start = _shared(old, text)
        end = _shared(old[start:][::-1], text[start:][::-1])
        if old != text:
            stretch = old[start : len(old) - end]
            found.append(Edit(column, start, len(old) - end, stretch, text[start : len(text) - end], BY_HAND))
    return tuple(found)


def _shared(one: str, two: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = zip(one, two, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


def _cells(number: int, case: Case) -> tuple[Any, ...]:
    said = "; ".join(edit.said() for edit in case.changes())
    edits = json.dumps([asdict(edit) for edit in case.edits], ensure_ascii=False)
    texts = (_written(case.text), _written(case.edited))
    return (number, case.row, case.kind, said, *texts, edits, case.expectation, case.label)


def _written(text: Input) -> str:
    return text if isinstance(text, str) else json.dumps(dict(text), ensure_ascii=False)


def _case(number: int, row: Mapping[Any, Any], needed: Sequence[str]) -> Case:
    what = f"Case {number}"
    cells = {str(name): "" if value is None or value != value else str(value) for name, value in row.items()}
    text = _read_input(cells["text"], needed, what)
    edited = _read_input(cells.get("edited") or cells["text"], needed, what)
    try:
        expectation = check_expectation(cells["expectation"].strip().lower())
    except InputError as error:
        raise DataError(f"{what} cannot be used: {error}") from error
    label = cells.get("label", "").strip()
    if expectation == "is" and not label:
        raise DataError(f"{what} expects a label and names none: fill in the column label.")
    if expectation != "is" and text == edited:
        raise DataError(f"{what} has no edit: give another text in the column edited.")
    origin = cells.get("row", "").partition(".")[0]
    edits = _read_edits(cells.get("edits", ""), what)
    return Case(text, edited, expectation, label, edits, int(origin) if origin.isdecimal() else None)


def _read_input(cell: str, needed: Sequence[str], what: str) -> Input:
    if not cell.strip():
        raise DataError(f"{what} has no text: fill it in or drop the case.")
    if len(needed) == 1 and not cell.startswith("{"):
        return cell
    try:
        parts = json.loads(cell)
    except ValueError:
        parts = None
    if (
        isinstance(parts, dict)
        and set(needed) <= parts.keys()
        and all(isinstance(item, str) for item in parts.values())
    ):
        return parts
    if len(needed) == 1:
        return cell
    form = "{" + ", ".join(f'"{name}": "…"' for name in needed) + "}"
    raise DataError(f"{what} is not complete: the task reads {' and '.join(needed)}; write {form}.")


def _read_edits(cell: str, what: str) -> tuple[Edit, ...]:
    if not cell.strip():
        return ()
    try:
        listed: Iterable[Mapping[str, Any]] = json.loads(cell)
        return tuple(Edit(**item) for item in listed)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} has edits that cannot be read: leave the column edits empty.") from error
