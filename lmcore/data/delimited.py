"""CSV and TSV: quoted by the book, or with literal quotes."""

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import pandas as pd

from lmcore.data.encoding import detect_encoding
from lmcore.data.header import PEEK, HeaderChoice, name_columns
from lmcore.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
LONGEST_FIELD = 1 << 26
_SNIFFED_CHARACTERS = 1 << 18
_SNIFFED_ROWS = 200
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is to be cut: its encoding, its delimiter and whether quotes enclose fields."""

    encoding: str
    delimiter: str
    quoted: bool


def read_delimited(
    content: bytes, what: str, *, tabs: bool = False, header: HeaderChoice = "auto", known: Collection[str] = ()
) -> pd.DataFrame:
    """Read delimited text.

    Fields in double quotes may hold delimiters and line ends, with inner quotes doubled (RFC 4180). A file that breaks
    these rules, or in which they would join lines that are whole without them, is read with literal quotes where
    that gives every line the same number of fields.

    Args:
        content: the whole file.
        what: its name, for messages.
        tabs: take the tab for the delimiter where the first line has one; otherwise it is sniffed.
        header: whether the first row names the columns.
        known: column names that the task knows, in lower case.

    Returns:
        Columns of strings; blank lines are passed over.

    Raises:
        DataError: the file is binary, empty or ragged; the message names the line.
    """
    encoding = detect_encoding(content, what)
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    delimiter = _sniff(content, encoding, tabs, known)
    plain = _Layout(encoding, delimiter, quoted=False)
    if b'"' not in content:
        return _parse(content, plain, what, header, known)[0]
    try:
        frame, joined = _parse(content, _Layout(encoding, delimiter, quoted=True), what, header, known)
        if not joined or not _is_regular(content, plain, what):
            return frame
    except DataError:
        if not _is_regular(content, plain, what):
            raise
    return _parse(content, plain, what, header, known)[0]


def _is_regular(content: bytes, layout: _Layout, what: str) -> bool:
    """Say whether every line has the same number of fields, two or more."""
    rows = _Rows(content, layout, what)
    try:
        return all(len(row) > 1 for row in rows)
    except DataError:
        return False


def _parse(
    content: bytes, layout: _Layout, what: str, header: HeaderChoice, known: Collection[str]
) -> tuple[pd.DataFrame, bool]:
    """Return the table, and whether a quoted field joined several lines."""
    rows = _Rows(content, layout, what)
    stream = iter(rows)
    head = list(islice(stream, PEEK))
    names, start = name_columns(head, what, header=header, known=known)
    return _to_frame(names, chain(head[start:], stream)), rows.joined


def _to_frame(names: list[str], rows: Iterator[list[str]]) -> pd.DataFrame:
    """Pack rows into Arrow columns chunk by chunk: Python strings for the whole file would take several times more."""
    import pyarrow as pa

    chunks: list[list[pa.Array]] = [[] for _ in names]
    while chunk := list(islice(rows, _CHUNK)):
        for column, cells in zip(chunks, zip(*chunk, strict=True), strict=True):
            column.append(pa.array(cells, pa.large_string()))
    arrays = [pa.chunked_array(column, pa.large_string()) for column in chunks]
    return pd.DataFrame({name: pd.array(a, dtype="str") for name, a in zip(names, arrays, strict=True)})


class _Rows:
    """The rows of a delimited file, each of the first one's width."""

    def __init__(self, content: bytes, layout: _Layout, what: str) -> None:
        self.joined = False
        self._what = what
        self._layout = layout
        self._reader = _reader(io.TextIOWrapper(io.BytesIO(content), layout.encoding, newline=""), layout)

    def __iter__(self) -> Iterator[list[str]]:
        width, before = 0, 0
        for row in self._records():
            line, before = before + 1, self._reader.line_num
            self.joined = self.joined or before > line
            if not row or (len(row) == 1 and width != 1 and not row[0].strip()):
                continue
            width = width or len(row)
            if len(row) != width:
                raise DataError(self._ragged(line, len(row), width))
            yield row

    def _records(self) -> Iterator[list[str]]:
        before = 0
        try:
            for row in self._reader:
                before = self._reader.line_num
                yield row
        except csv.Error as error:
            if "field limit" in str(error):
                raise DataError(
                    f"Line {before + 1} of {self._what} has a field of more than {LONGEST_FIELD:,} characters: cut it."
                ) from error
            raise DataError(
                f"Line {before + 1} of {self._what} has a double quote that does not enclose a whole field: put the "
                'field in double quotes and double those inside it ("").'
            ) from error

    def _ragged(self, line: int, found: int, width: int) -> str:
        sign = DELIMITERS[self._layout.delimiter]
        return (
            f"Line {line} of {self._what} has {found} field{'s' * (found != 1)} where the first row has {width}: put a "
            f"text that holds a {sign} in double quotes, and leave no field out."
        )


def _reader(lines: io.TextIOBase | Iterator[str], layout: _Layout) -> "CsvReader":
    if layout.quoted:
        return csv.reader(lines, delimiter=layout.delimiter, strict=True)
    return csv.reader(lines, delimiter=layout.delimiter, quoting=csv.QUOTE_NONE)


def _sniff(content: bytes, encoding: str, tabs: bool, known: Collection[str]) -> str:
    """Choose the delimiter that cuts most rows like the first one; a known column name outweighs that."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding, newline="").read(_SNIFFED_CHARACTERS)
    if tabs and "\t" in next(iter(text.lstrip("\r\n ").splitlines()), ""):
        return "\t"
    scores = {}
    for delimiter in DELIMITERS:
        tries = [_sniffed_rows(text, _Layout(encoding, delimiter, quoted)) for quoted in (True, False)]
        scores[delimiter] = max(_regularity(rows, known) for rows in tries)
    return max(scores, key=lambda d: scores[d])


def _sniffed_rows(text: str, layout: _Layout) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in islice(_reader(io.StringIO(text, newline=""), layout), _SNIFFED_ROWS):
            rows.append(row)
    except csv.Error:
        return rows
    return rows[:-1] if len(text) == _SNIFFED_CHARACTERS and len(rows) > 1 else rows


def _regularity(rows: list[list[str]], known: Collection[str]) -> tuple[bool, float, int]:
    rows = [row for row in rows if row]
    if not rows or len(rows[0]) < 2:
        return False, 0.0, 0
    named = any(cell.strip().casefold() in known for cell in rows[0])
    return named, sum(len(row) == len(rows[0]) for row in rows) / len(rows), len(rows)
