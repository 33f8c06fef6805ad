"""JSON lines, JSON arrays of objects, and questions in the nested form of SQuAD."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from lmcore.data.cells import build_frame, cell_text
from lmcore.data.encoding import detect_encoding
from lmcore.data.squad import is_squad, read_squad
from lmcore.errors import DataError


def read_json_lines(content: bytes, what: str) -> pd.DataFrame:
    """Read one JSON object a line; columns are the keys of all lines, in order of appearance.

    Raises:
        DataError: a line is not a JSON object; the message names it.
    """
    lines = io.TextIOWrapper(io.BytesIO(content), detect_encoding(content, what))
    return _to_frame(
        ((f"Line {n}", _parse(line.rstrip(), f"Line {n} of {what}")) for n, line in _numbered(lines)), what
    )


def read_json(content: bytes, what: str) -> pd.DataFrame:
    """Read a JSON array of objects, or questions in the form of SQuAD; any other file is read as JSON lines.

    Raises:
        DataError: it is not JSON, or an element is not an object.
    """
    encoding = detect_encoding(content, what)
    if not content[:1024].decode(encoding, "ignore").lstrip().startswith("["):
        whole = _nested(content, encoding)
        return read_squad(whole, what) if whole is not None else read_json_lines(content, what)
    rows = _parse(content.decode(encoding), what)
    return _to_frame(((f"Element {n}", row) for n, row in enumerate(rows, 1)), what)


def _nested(content: bytes, encoding: str) -> dict[str, Any] | None:
    """Return a file's one JSON object where it has the form of SQuAD, else None."""
    text = content.decode(encoding, "ignore")
    if '"paragraphs"' not in text:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if is_squad(document) else None


def _numbered(lines: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    return ((n, line) for n, line in enumerate(lines, 1) if line.strip())


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f", line {error.lineno}" if error.lineno > 1 else ""
        raise DataError(
            f"{what}{place} is not valid JSON ({error.msg} at character {error.colno}): write one object a line, for "
            'example {"text": "…", "label": "…"}.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{what} holds a number too long or lists too deep to read: take it out.") from error


def _to_frame(rows: Iterator[tuple[str, Any]], what: str) -> pd.DataFrame:
    columns: dict[str, list[str]] = {}
    count = 0
    for place, row in rows:
        if not isinstance(row, dict):
            raise DataError(
                f"{place} of {what} is not a JSON object: write one object for each row, for example "
                '{"text": "…", "label": "…"}.'
            )
        for key, value in row.items():
            columns.setdefault(key, [""] * count).append(cell_text(value))
        count += 1
        for cells in columns.values():
            cells.extend([""] * (count - len(cells)))
    if not count:
        raise DataError(f"{what} is empty: give at least one JSON object.")
    return build_frame([cell_text(key) for key in columns], [pd.Series(c, dtype="str") for c in columns.values()])
