"""Finding the rows that lie far out, always in the full space.

A map is no place to look for them: on planted outliers the same score reaches an AUROC of 1.00 in the full space
and of about .75 on a two-dimensional map.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import DataError
from lmcore.fingerprint import fingerprint, fingerprint_array
from lmcore.projection.detectors import RowScores
from lmcore.projection.methods import OUTLIERS
from lmcore.projection.rows import check_ids, check_rows
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Outliers:
    """How far out each row lies.

    Attributes:
        ids: the rows' ids, int64 of shape (rows,).
        scores: float32 of shape (rows,); higher is farther out, in the units of the method.
        is_outlier: whether a row is flagged, shape (rows,).
        method: the method's name.
        parameters: every option, with the value that was in effect.
        fingerprint: hash of the input array, the method and the parameters.
    """

    ids: np.ndarray
    scores: np.ndarray
    is_outlier: np.ndarray
    method: str
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> "pd.DataFrame":
        """Return a row for each input row: id, score, is_outlier."""
        import pandas as pd

        return pd.DataFrame({"id": self.ids, "score": self.scores, "is_outlier": self.is_outlier})


def find_outliers(
    x: np.ndarray,
    *,
    method: str = "knn_distance",
    ids: "Sequence[int] | np.ndarray | None" = None,
    report: Report | None = None,
    **options: object,
) -> Outliers:
    """Score how far out each row lies and flag the farthest.

    At most ``share`` of the rows, rounded up to a whole row, are flagged. Rows with the same score are flagged
    together or not at all, so that identical rows are never told apart.

    Args:
        x: representations, shape (rows, features), before any projection.
        method: a name in `lmcore.projection.methods.OUTLIERS`.
        ids: the rows' ids, all different; 0, 1, 2 … where none are given.
        report: told of each phase; asked between them whether to stop.
        **options: ``share`` (0 to 0.5) and the method's other options.

    Raises:
        UnknownError: there is no such method.
        OptionError: an option is unknown or out of range.
        DataError: the rows or the ids cannot be used, or there is only one row.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    chosen = OUTLIERS[method]
    asked = chosen.check(options)
    rows = check_rows(x)
    row_ids = check_ids(ids, len(rows))
    if len(rows) < 2:
        raise DataError("One row has nothing to be far from: give at least 2 rows to look for outliers.")
    report.check()
    report.progress(0.0, f"{chosen.title} of {len(rows)} rows")
    settings = {name: value for name, value in asked.items() if name != "share"}
    found: RowScores = chosen.load()(rows, **settings)
    report.check()
    parameters = {**asked, **found.effective}
    scores = found.scores.astype(np.float32)
    digits = fingerprint(fingerprint_array(rows), method, parameters)
    report.progress(1.0, f"{chosen.title} done")
    return Outliers(row_ids, scores, _highest(scores, asked["share"]), method, parameters, digits)


def _highest(scores: np.ndarray, share: float) -> np.ndarray:
    # Rounding first keeps 0.1 * 30 = 3.0000000000000004 from counting as four rows.
    count = math.ceil(round(share * len(scores), 9))
    threshold = np.sort(scores)[len(scores) - count - 1]
    flagged: np.ndarray = scores > threshold
    return flagged
