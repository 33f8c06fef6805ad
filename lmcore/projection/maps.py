"""Projecting representations to a map of two or three dimensions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.fingerprint import fingerprint, fingerprint_array
from lmcore.projection.layout import Layout
from lmcore.projection.methods import PROJECTION
from lmcore.projection.quality import ProjectionQuality, projection_quality
from lmcore.projection.rows import check_ids, check_rows
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import pandas as pd

QUALITY_NEIGHBORS = 15


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of representations.

    Attributes:
        ids: the rows' ids, int64 of shape (rows,).
        points: their places, float32 of shape (rows, dimensions); in the units of the input for PCA, without unit
            otherwise.
        method: the method's name.
        parameters: every option, with the value that was in effect.
        fingerprint: hash of the input array, the method and the parameters.
        explained_variance: share of the total variance along each axis, 0 to 1; None except for PCA.
        quality: how well the map keeps neighbourhoods; None where it was not asked for or there are fewer than 3 rows.
    """

    ids: np.ndarray
    points: np.ndarray
    method: str
    parameters: Mapping[str, Any]
    fingerprint: str
    explained_variance: tuple[float, ...] | None = None
    quality: ProjectionQuality | None = None

    def to_frame(self) -> "pd.DataFrame":
        """Return a row for each point: id, x, y and, in three dimensions, z."""
        import pandas as pd

        axes = {axis: self.points[:, number] for number, axis in enumerate("xyz"[: self.points.shape[1]])}
        return pd.DataFrame({"id": self.ids, **axes})


def project(
    x: np.ndarray,
    *,
    method: str = "pca",
    ids: "Sequence[int] | np.ndarray | None" = None,
    quality: bool = True,
    report: Report | None = None,
    **options: object,
) -> Projection:
    """Project representations to a map.

    Args:
        x: representations, shape (rows, features).
        method: a name in `lmcore.projection.methods.PROJECTION`.
        ids: the rows' ids, all different; 0, 1, 2 … where none are given.
        quality: also measure how well neighbourhoods of 15 rows are kept (of fewer where there are too few rows).
        report: told of each phase; asked between them whether to stop.
        **options: the method's options.

    Raises:
        UnknownError: there is no such method.
        OptionError: an option is unknown or out of range.
        DataError: the rows or the ids cannot be used, or are too few for the method.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    chosen = PROJECTION[method]
    asked = chosen.check(options)
    rows = check_rows(x)
    row_ids = check_ids(ids, len(rows))
    report.check()
    report.progress(0.0, f"{chosen.title} of {len(rows)} rows")
    layout: Layout = chosen.load()(rows, **asked)
    points = layout.points.astype(np.float32)
    report.check()
    measured = None
    neighbors = min(QUALITY_NEIGHBORS, (len(rows) - 1) // 2)
    if quality and neighbors:
        report.progress(0.8, "Comparing neighbourhoods on the map with those in the full space")
        measured = projection_quality(rows, points, neighbors=neighbors)
    parameters = {**asked, **layout.effective}
    digits = fingerprint(fingerprint_array(rows), method, parameters)
    report.progress(1.0, f"{chosen.title} done")
    return Projection(row_ids, points, method, parameters, digits, layout.explained_variance, measured)
