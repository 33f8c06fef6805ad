"""Comprehensiveness and sufficiency: what taking the first words of a ranking away, or keeping only them, does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.analysis.attribution.games import Values
from lmcore.types import Report, Silent

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class ErasureCurve:
    """Falls of the target's probability (DeYoung et al. 2020).

    Attributes:
        by_share: ``share``, ``units``, ``comprehensiveness`` (the fall without the first units: more is better),
            ``sufficiency`` (the fall with only them: less is better), and both for random rankings, ``random_…``, on
            average, with their standard deviation, ``spread_…``.
        probability: of the target for the whole text.
    """

    by_share: pd.DataFrame
    probability: float

    def mean(self, column: str) -> float:
        """Return the mean over the shares (AOPC)."""
        return float(self.by_share[column].mean())


def erasure_curve(
    values: Values,
    scores: np.ndarray,
    *,
    shares: Sequence[float] = SHARES,
    draws: int = 10,
    seed: int = 0,
    report: Report | None = None,
) -> ErasureCurve:
    """Take the units with the highest scores away, and keep only them, for each share of all units.

    Args:
        values: says how probable the target is with some units kept; see `lmcore.analysis.attribution.games.Values`.
        scores: one a unit; positive speaks for the target.
        shares: of the units, 0 to 1; at least one unit is taken.
        draws: random rankings that are measured in the same way.
        seed: of these.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    count = len(scores)
    rng = np.random.default_rng(seed)
    orders = [np.argsort(-scores, kind="stable"), *(rng.permutation(count) for _ in range(draws))]
    # Rounded first, since a share of 0.07 of 100 units is a little more than 7 in floating point.
    sizes = [min(count, max(1, int(np.ceil(round(share * count, 9))))) for share in shares]
    first = np.stack([_first(order, size) for order in orders for size in sizes])
    rows = np.unique(np.vstack([np.ones((1, count), dtype=bool), ~first, first]), axis=0)
    rows = rows[np.argsort(-rows.sum(axis=1), kind="stable")]  # those of like length are run together
    known = dict(zip([row.tobytes() for row in rows], _values(values, rows, report or Silent()), strict=True))
    whole = known[np.ones(count, dtype=bool).tobytes()]
    falls = np.array([[whole - known[(~row).tobytes()], whole - known[row.tobytes()]] for row in first])
    falls = falls.reshape(len(orders), len(sizes), 2)
    frame = pd.DataFrame({"share": list(shares), "units": sizes})
    for place, name in enumerate(("comprehensiveness", "sufficiency")):
        frame[name] = falls[0, :, place]
        frame[f"random_{name}"] = falls[1:, :, place].mean(axis=0) if draws else np.nan
        frame[f"spread_{name}"] = falls[1:, :, place].std(axis=0) if draws else np.nan
    return ErasureCurve(frame, whole)


def no_curve(values: Values, count: int) -> ErasureCurve:
    """Return a curve of nothing taken away: how probable the target of a whole text of so many units is, and no more."""
    names = [f"{which}{name}" for name in ("comprehensiveness", "sufficiency") for which in ("", "random_", "spread_")]
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in ("share", "units", *names)})
    whole = values(np.zeros(1, dtype=int), [np.ones(count, dtype=bool)])
    return ErasureCurve(frame, float(whole[0][0]))


def _values(values: Values, rows: np.ndarray, report: Report) -> list[float]:
    found: list[float] = []
    for start in range(0, len(rows), _AT_ONCE):
        report.check()
        part = list(rows[start : start + _AT_ONCE])
        found += [float(value[0]) for value in values(np.zeros(len(part), dtype=int), part)]
        report.progress(len(found) / len(rows), "Taking words away")
    return found


def _first(order: np.ndarray, size: int) -> np.ndarray:
    row = np.zeros(len(order), dtype=bool)
    row[order[:size]] = True
    return row
