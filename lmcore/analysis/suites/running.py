"""Running a suite against a version."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.counterfactual.answers import probability, said, same_answer
from lmcore.analysis.counterfactual.asking import Asker, Model
from lmcore.analysis.suites.cases import Case, Suite
from lmcore.analysis.suites.intervals import share_interval
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.tasks.multilabel import read_labels
from lmcore.types import Prediction, Report

WHOLE = "all"
NO_ANSWER = "could not be predicted"


@dataclass(frozen=True, eq=False)
class SuiteRun:
    """How a version does on a suite.

    Attributes:
        id: names the kept run; made from the version and the cases.
        suite: the suite's text form, ``name@number``.
        data: the data set version that it is kept with.
        version: what was asked.
        cases: ``case``, ``row``, ``kind``, ``edit``, ``expectation``, ``label``, ``before`` and ``after`` (the answers),
            ``change`` (probability of the first answer, after less before), ``flips``, ``passed``, ``text`` and ``edited``.
        rates: for all and for each kind of edit ``kind``, ``cases``, ``failures``, ``failure_rate``, ``failure_low``,
            ``failure_high``, ``flips``, ``flip_rate``, ``flip_low`` and ``flip_high``: shares of 0 to 1 with 95 % intervals.
        fingerprint: of the suite's cases.
    """

    id: str
    suite: str
    data: str
    version: str
    cases: pd.DataFrame
    rates: pd.DataFrame
    fingerprint: str

    @property
    def failures(self) -> pd.DataFrame:
        """The cases that failed."""
        return self.cases[~self.cases["passed"]]

    def verdict(self) -> str:
        """Say in a sentence how it does."""
        whole = self.rates.iloc[0]
        return (
            f"{int(whole['failures']):,} of {int(whole['cases']):,} cases failed: {whole['failure_rate']:.1%} (95 % interval "
            f"{whole['failure_low']:.1%} to {whole['failure_high']:.1%}); the answer flipped in {whole['flip_rate']:.1%} "
            f"({whole['flip_low']:.1%} to {whole['flip_high']:.1%})."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the cases."""
        return self.cases


def run_suite(model: Model, suite: Suite, *, version: str = "", report: Report | None = None) -> SuiteRun:
    """Ask a version about every case of a suite.

    Args:
        model: a loaded model with a head for the suite's task, or any function from inputs to predictions.
        suite: the cases.
        version: what the model is called; its reference where empty.
        report: progress and cancellation.

    Raises:
        InputError: the model does another task.
        Cancelled: the report asked to stop.
    """
    if isinstance(model, LoadedModel) and model.task != suite.task:
        raise InputError(
            f"{model.ref} does {model.task or 'no task yet'} and the suite {suite.ref} is for {suite.task}: take a version of "
            "that task."
        )
    version = version or (str(model.ref) if isinstance(model, LoadedModel) else "function")
    asker = Asker(model, 2 * len(suite) + 1, report)
    texts = [text for case in suite.cases for text in (case.text, case.edited)]
    answers = asker.many(texts, "Asking about the cases")
    rows = [_row(number, case, answers[2 * number], answers[2 * number + 1]) for number, case in enumerate(suite.cases)]
    written = suite.to_frame()[["text", "edited"]]
    cases = pd.concat([pd.DataFrame(rows).astype({"row": "Int64"}), written], axis=1)
    known = model.fingerprint if isinstance(model, LoadedModel) else ""
    identifier = fingerprint("suite run", suite.fingerprint, suite.ref, suite.data, version, known)
    return SuiteRun(identifier, suite.ref, suite.data, version, cases, failure_rates(cases), suite.fingerprint)


def failure_rates(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the rates of a run's cases, for all and for each kind of edit; see `SuiteRun`."""
    # A case that was written by hand stands for itself.
    own = pd.Series([f"case {number}" for number in cases["case"]], index=cases.index)
    groups = cases["row"].astype("string").fillna(own)
    parts = [(WHOLE, np.ones(len(cases), dtype=bool))]
    parts += [(str(kind), (cases["kind"] == kind).to_numpy()) for kind in cases["kind"].unique()]
    found = []
    for kind, inside in parts:
        group = groups[inside].to_numpy(dtype=str)
        row: dict[str, Any] = {"kind": kind, "cases": int(inside.sum())}
        for one, many, hits in (("failure", "failures", ~cases["passed"]), ("flip", "flips", cases["flips"])):
            chosen = hits[inside].to_numpy(dtype=bool)
            row[many] = int(chosen.sum())
            row |= dict(zip((f"{one}_rate", f"{one}_low", f"{one}_high"), share_interval(chosen, group), strict=True))
        found.append(row)
    return pd.DataFrame(found)


def _row(number: int, case: Case, before: Prediction | None, after: Prediction | None) -> Mapping[str, Any]:
    edits = case.changes()
    known = {
        "case": number + 1,
        "row": case.row,
        "kind": case.kind,
        "edit": "; ".join(edit.said() for edit in edits),
        "expectation": case.expectation,
        "label": case.label,
    }
    if before is None or after is None:
        said_of = [NO_ANSWER if item is None else said(item) for item in (before, after)]
        return known | {"before": said_of[0], "after": said_of[1], "change": math.nan, "flips": False, "passed": False}
    same = same_answer(case.text, edits, before, after)
    if case.expectation == "is":
        passed = case.label in (after.label, after.text) or (
            bool(after.probabilities) and read_labels(case.label) == read_labels(after.label)
        )
    else:
        passed = same == (case.expectation == "stays")
    change = probability(before, after, same=same) - probability(before, before, same=True)
    return known | {"before": said(before), "after": said(after), "change": change, "flips": not same, "passed": passed}
