"""Cells of any type as text: an empty string is a missing value."""

import datetime
import json
import math
import numbers
from collections.abc import Mapping

import numpy as np
import pandas as pd


def cell_text(value: object) -> str:
    """Write a cell as text.

    Whole numbers have no decimal point (1.0 is ``1``), truth values are ``true`` and ``false``, dates are in ISO 8601
    form, lists and mappings are JSON, and missing values (None, NaN, NaT) are empty.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, list | tuple | np.ndarray | Mapping):
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        return encodable(json.dumps(plain, ensure_ascii=False, default=_inner))
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, numbers.Real):
        return _number(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime.datetime) and value.time() == datetime.time(0):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else encodable(str(value))


def _inner(value: object) -> object:
    """Return what JSON can hold in place of a value inside a list or mapping; arrays stay lists."""
    return value.tolist() if isinstance(value, np.ndarray) else cell_text(value)


def text_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every cell as text, column names as strings and rows numbered from 0."""
    columns = [_text_column(frame.iloc[:, n]) for n in range(frame.shape[1])]
    return build_frame([str(name) for name in frame.columns], columns)


def build_frame(names: list[str], columns: list[pd.Series]) -> pd.DataFrame:
    """Put text columns together; repeated names get a number: ``text``, ``text (2)``."""
    unique: list[str] = []
    for name in names:
        unique.append(free_name(name, unique))
    return pd.DataFrame(dict(zip(unique, (c.reset_index(drop=True) for c in columns), strict=True)), dtype="str")


def free_name(name: str, taken: list[str]) -> str:
    """Return the name, with a number behind it where it is taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name} ({number})", number + 1
    return candidate


def encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON and file names can carry and no file can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _text_column(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.StringDtype):
        return column.astype("str").fillna("")
    return pd.Series([cell_text(value) for value in column], dtype="str")


def _number(value: numbers.Real) -> str:
    if isinstance(value, numbers.Integral):
        return str(int(value))
    number = float(value)
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
