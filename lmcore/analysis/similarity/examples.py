"""Representations of examples, checked and brought to a size at which they can be compared."""

import numpy as np

from lmcore.errors import InputError


def paired(x: np.ndarray, y: np.ndarray, *, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Check that two arrays hold representations of the same examples.

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).
        fewest: examples that the measure needs.

    Returns:
        Both as float64.

    Raises:
        InputError: the numbers of examples differ or are too small, there are no features, or a value is no finite number.
    """
    first, second = as_rows(x), as_rows(y)
    if first.shape[:1] != second.shape[:1] or any(a.ndim != 2 or a.shape[1] == 0 for a in (first, second)):
        raise _shapes(x, y, fewest)
    if len(first) < fewest:
        raise _shapes(x, y, fewest)
    return first, second


def as_rows(x: np.ndarray) -> np.ndarray:
    """Return representations as float64, so that sums over many examples keep their digits.

    Raises:
        InputError: a value is no finite number.
    """
    try:
        rows = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "The representations are no numbers: give arrays of the shape (examples, features), without gaps."
        ) from error
    if not np.isfinite(rows).all():
        raise InputError("The representations have a value that is NaN or infinite: compute them again in float32.")
    return rows


def deviations(rows: np.ndarray) -> np.ndarray:
    """Return what each feature deviates from its mean by; exactly 0 where a feature is constant."""
    centred: np.ndarray = rows - rows[0]
    centred -= centred.mean(axis=0)
    return centred


def largest(values: np.ndarray) -> float:
    """Return the largest absolute value, or 1 where all are 0: what values are divided by before they are squared."""
    return float(np.abs(values).max(initial=0.0)) or 1.0


def centred(rows: np.ndarray) -> np.ndarray:
    """Return the deviations from the means divided by the largest one, so that squares neither overflow nor vanish."""
    found = deviations(rows / largest(rows))
    return found / largest(found)


def _shapes(x: np.ndarray, y: np.ndarray, fewest: int) -> InputError:
    return InputError(
        f"The representations have the shapes {np.shape(x)} and {np.shape(y)}: give (examples, features) with the same "
        f"examples, at least {fewest}."
    )
