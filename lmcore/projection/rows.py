"""Checking and preparing the rows that every projection and outlier score starts from."""

from collections.abc import Sequence

import numpy as np

from lmcore.errors import DataError

LARGEST = 1e30


def check_rows(x: object, name: str = "representations") -> np.ndarray:
    """Return the array as float64 of shape (rows, features).

    Raises:
        DataError: it is not a table of numbers, is empty, or has a value that is not finite or beyond 1e30 in size
            (squares of such values would overflow).
    """
    try:
        rows = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The {name} are not a table of numbers: give an array of shape (rows, features).") from error
    if rows.ndim != 2 or 0 in rows.shape:
        raise DataError(
            f"The {name} have the shape {rows.shape}: give an array (rows, features) with at least one of each."
        )
    bad = np.flatnonzero(~(np.abs(rows).max(axis=1) <= LARGEST))
    if len(bad):
        raise DataError(
            f"Row {bad[0]} (counted from 0) of the {name} has a value that is NaN, infinite or beyond 1e30; "
            f"{len(bad)} of {len(rows)} rows do: leave them out or compute them again in float32."
        )
    return rows


def check_ids(ids: "Sequence[int] | np.ndarray | None", rows: int) -> np.ndarray:
    """Return the ids as int64, or 0, 1, 2 … where none are given.

    Raises:
        DataError: they are not whole numbers, not one for each row, or not all different.
    """
    if ids is None:
        return np.arange(rows, dtype=np.int64)
    given = np.asarray(ids)
    if given.shape != (rows,) or given.dtype.kind not in "iu":
        raise DataError(
            f"The ids are {given.dtype} of shape {given.shape}: give one whole number for each of {rows} rows."
        )
    values, counts = np.unique(given, return_counts=True)
    if len(values) < rows:
        raise DataError(f"The id {values[counts > 1][0]} is given more than once: give each row an id of its own.")
    return given.astype(np.int64)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Scale each row to length 1, so that Euclidean distance orders rows as cosine distance does; zeros stay zero."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(lengths, 1)
    return unit


def rescale(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre the rows and divide them all by their largest deviation.

    The methods that follow do not depend on position and size, but their arithmetic does: squares of tiny values
    vanish, and a large offset swallows small differences.

    Returns:
        The rows, within -1 to 1 and exactly 0 where a feature is constant, and what they were divided by.
    """
    centred = rows - rows[0]
    centred -= centred.mean(axis=0)
    scale = float(np.abs(centred).max())
    if scale == 0:
        return centred, 1.0
    return centred / scale, scale


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each different row once, in order of appearance, and for every row which of them it is."""
    numbers: dict[bytes, int] = {}
    of_row = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows + 0.0], dtype=np.int64)
    first = np.unique(of_row, return_index=True)[1]
    return rows[first], of_row
