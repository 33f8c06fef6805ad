"""Two versions on one suite."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.analysis.suites.running import WHOLE, SuiteRun
from lmcore.errors import InputError
from lmcore.tasks.resampling import middle, resampled_sums


@dataclass(frozen=True, eq=False)
class SuiteComparison:
    """What changes from one version to another on the same cases.

    Attributes:
        suite: the suite's text form.
        first: a version.
        second: the other one.
        rates: for all and for each kind ``kind``, ``cases``, ``first``, ``second`` (failure rates), ``difference`` (second less
            first: below 0 where the second fails less), ``low`` and ``high`` (95 %, paired bootstrap of the rows).
        changed: the cases that one version passes and the other fails, with ``first_after``, ``second_after`` (the answers) and
            ``better`` (which version passes).
        seed: of the bootstrap.
    """

    suite: str
    first: str
    second: str
    rates: pd.DataFrame
    changed: pd.DataFrame
    seed: int

    def verdict(self) -> str:
        """Say in a sentence which version does better."""
        whole = self.rates.iloc[0]
        mended, broken = ((self.changed["better"] == name).sum() for name in ("second", "first"))
        counts = f"it passes {mended:,} cases that the other fails, and fails {broken:,} that the other passes"
        if whole["high"] < 0 or whole["low"] > 0:
            which = "less" if whole["high"] < 0 else "more"
            return f"{self.second} fails {which} often than {self.first}, by {abs(whole['difference']):.1%}: {counts}."
        return f"Neither version is shown to be better: {self.second} differs by {whole['difference']:+.1%}; {counts}."

    def to_frame(self) -> pd.DataFrame:
        """Return the rates."""
        return self.rates


def compare_runs(first: SuiteRun, second: SuiteRun, *, seed: int = 0) -> SuiteComparison:
    """Compare two runs of the same cases.

    Args:
        first: how one version does.
        second: how the other does.
        seed: of the bootstrap.

    Raises:
        InputError: the runs are of different cases.
    """
    if first.fingerprint != second.fingerprint:
        raise InputError(f"{first.suite} and {second.suite} have different cases: run both versions on the same suite.")
    a, b = first.cases, second.cases
    own = pd.Series([f"case {number}" for number in a["case"]], index=a.index)
    groups = a["row"].astype("string").fillna(own)
    kinds = [(WHOLE, np.ones(len(a), dtype=bool))]
    kinds += [(str(kind), (a["kind"] == kind).to_numpy()) for kind in a["kind"].unique()]
    fails = np.column_stack([~a["passed"], ~b["passed"], np.ones(len(a))]).astype(float)
    rates = [_rates(kind, fails[inside], groups[inside].to_numpy(dtype=str), seed) for kind, inside in kinds]
    differs = (a["passed"] != b["passed"]).to_numpy()
    changed = a.loc[differs, ["case", "row", "kind", "edit", "expectation", "label", "text", "edited"]].copy()
    changed["first_after"], changed["second_after"] = a.loc[differs, "after"], b.loc[differs, "after"]
    changed["better"] = np.where(a.loc[differs, "passed"], "first", "second")
    return SuiteComparison(first.suite, first.version, second.version, pd.DataFrame(rates), changed, seed)


def _rates(kind: str, fails: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, object]:
    _, places = np.unique(groups, return_inverse=True)
    rows = np.zeros((int(places.max()) + 1, 3))
    np.add.at(rows, places, fails)
    sums = resampled_sums(rows, seed=seed)
    low, high = middle((sums[:, 1] - sums[:, 0]) / sums[:, 2])
    shares = fails.mean(axis=0)
    return {
        "kind": kind,
        "cases": len(fails),
        "first": float(shares[0]),
        "second": float(shares[1]),
        "difference": float(shares[1] - shares[0]),
        "low": low,
        "high": high,
    }
