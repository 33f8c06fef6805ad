"""Making test cases from the rows of a data set."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.counterfactual.candidates import single_edits
from lmcore.analysis.counterfactual.edit import edited
from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS, STAYS
from lmcore.analysis.suites.cases import MAX_CASES, Case, Suite
from lmcore.analysis.suites.expectations import check_expectation
from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, InputError, OptionError
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Input, Report, Silent, check_name


def make_suite(
    data: TextDataset,
    *,
    name: str,
    edits: Mapping[str, Mapping[str, Any]] | Sequence[str] = ("typos", "homophones", "letter_case", "punctuation"),
    rows: int = 50,
    each: int = 1,
    split: str = "test",
    expectation: str = "",
    seed: int = 0,
    report: Report | None = None,
) -> Suite:
    """Make test cases by editing rows of a stored data set.

    Args:
        data: a stored data set version.
        name: what the suite is called.
        edits: names of EDITS that need no model, each with its options, or names alone.
        rows: how many rows are drawn.
        each: cases of each kind that are made of a row, at most.
        split: whose rows; of a data set that is not split, all.
        expectation: ``stays``, ``changes``, or ``is`` (the row's own label is to come out); empty for what is usual for each
            kind of edit: a negation should change the answer, all others should not.
        seed: of the rows and of the edits.
        report: progress and cancellation.

    Raises:
        InputError: the name, the expectation or an edit is not usable, or no row has anything to edit.
        OptionError: a number is out of range.
        DataError: the data set is not stored, or has no rows with a label where one is to come out.
        Cancelled: the report asked to stop.
    """
    report, task = report or Silent(), load_task(data.task)
    kinds = _kinds(edits)
    if expectation:
        check_expectation(expectation)
    _check(data, name, rows, each, len(kinds))
    frame = _drawn(data, task, split, rows, seed)
    label = next((column.name for column in task.columns if column.role == "label"), "")
    cases: list[Case] = []
    for number, row in enumerate(frame.to_dict("records")):
        report.check()
        text = _input(task, frame, row)
        for kind, options in kinds.items():
            wanted = expectation or str(EDITS[kind].facts["expects"]) or STAYS
            own = str(row.get(label, "")) if wanted == "is" else ""
            if wanted == "is" and not own:
                raise DataError(
                    f"Row {int(row['id']) + 1} of {data.called} has no label: expect that the answer stays instead."
                )
            cases += _cases(text, kind, options, int(row["id"]), check_expectation(wanted), own, each, seed)
        report.progress((number + 1) / len(frame), f"{len(cases)} cases made")
    if not cases:
        raise InputError("No row has anything that the chosen edits change: choose other edits or another split.")
    parameters = {"edits": kinds, "rows": rows, "each": each, "split": split, "expectation": expectation, "seed": seed}
    return Suite(name, str(data.ref), data.task, tuple(cases), parameters=parameters)


def _kinds(edits: Mapping[str, Mapping[str, Any]] | Sequence[str]) -> dict[str, dict[str, Any]]:
    named = edits if isinstance(edits, Mapping) else {name: {} for name in edits}
    if not named:
        raise InputError(f"No edit is chosen: take one or more of {', '.join(BLACK_BOX)}.")
    found = {name: EDITS[name].check(options) for name, options in named.items()}
    inside = [name for name in found if name not in BLACK_BOX]
    if inside:
        raise InputError(f"{EDITS[inside[0]].title} needs a model, and a suite is for all versions: take other edits.")
    return found


def _check(data: TextDataset, name: str, rows: int, each: int, kinds: int) -> None:
    check_name(name, "suite name")
    if data.ref is None:
        raise DataError(
            f"The data set {data.name!r} is not stored yet: store it first, since a suite is kept with a version."
        )
    if rows < 1 or each < 1:
        raise OptionError(f"{rows} rows with {each} cases each are asked for: give 1 or more of both.")
    if rows * each * kinds > MAX_CASES:
        raise OptionError(
            f"That makes up to {rows * each * kinds:,} cases: take fewer rows or edits, {MAX_CASES:,} at most."
        )


def _drawn(data: TextDataset, task: Task, split: str, rows: int, seed: int) -> pd.DataFrame:
    part = data.part(split) if split and data.is_split and not (data.ref and data.ref.split) else data
    frame = part.frame[task.texts(part.frame).str.strip() != ""]
    if frame.empty:
        raise DataError(f"{part.called} has no row with a text: choose another split or data set.")
    return frame.sample(min(rows, len(frame)), random_state=seed).sort_values("id")


def _input(task: Task, frame: pd.DataFrame, row: Mapping[Any, Any]) -> Input:
    names = [name for name in task.inputs(frame) if str(row[name])]
    return str(row[names[0]]) if len(names) == 1 else {name: str(row[name]) for name in names}


def _cases(
    text: Input, kind: str, options: Mapping[str, Any], row: int, expectation: Any, label: str, each: int, seed: int
) -> list[Case]:
    rng = np.random.default_rng([seed, row, zlib.crc32(kind.encode())])
    found = single_edits(text, {kind: options}, seed=int(rng.integers(1 << 31)))
    chosen = sorted(rng.permutation(len(found))[:each].tolist())
    return [Case(text, edited(text, (found[n],)), expectation, label, (found[n],), row) for n in chosen]
