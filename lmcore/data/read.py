"""Files as tables of text, whatever their format."""

from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

import pandas as pd

from lmcore.data.cells import encodable
from lmcore.data.conll import read_conll
from lmcore.data.delimited import read_delimited
from lmcore.data.header import HeaderChoice
from lmcore.data.parquet import read_parquet
from lmcore.data.records import read_json, read_json_lines
from lmcore.data.workbook import read_workbook
from lmcore.errors import DataError
from lmcore.settings import MIB

CONLL = (".conll", ".bio", ".iob")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", *CONLL)
PLAIN = ".txt"
LIMIT_BYTES = 200 * MIB
UNPACKED = 4

Reader = Callable[[bytes, str], pd.DataFrame]


def read_table(
    source: Path | bytes,
    *,
    name: str = "",
    header: HeaderChoice = "auto",
    known: Collection[str] = (),
    limit_bytes: int = LIMIT_BYTES,
    plain: Reader | None = None,
) -> pd.DataFrame:
    """Read a table from a file or from bytes; the ending of the name says the format.

    Args:
        source: a path, for Python and the command line alone, or the file's content.
        name: the file's name; a path has its own.
        header: whether the first row of CSV, TSV or XLSX names the columns; ``auto`` guesses.
        known: column names that the task knows, which help to tell a header and the delimiter.
        limit_bytes: the largest file that is read; what is packed may take `UNPACKED` times as much unpacked.
        plain: reads the content of a ``.txt`` file, whose lines mean what the task takes them for; None refuses one.

    Returns:
        Columns of strings with rows numbered from 0; an empty string is a missing value.

    Raises:
        DataError: the file is missing, too large, empty, binary, damaged or ragged; the message names it and, where
            it applies, the line, row and column.
    """
    what = encodable(base_name(name or (source.name if isinstance(source, Path) else "the file")))
    if isinstance(source, Path):
        _refuse_missing(source)
    suffix = PurePosixPath(what.lower()).suffix
    if suffix == PLAIN and plain is None:
        raise DataError(f"{what} is plain text, in which this task has no columns: give a {', '.join(SUFFIXES)} file.")
    if suffix not in (*SUFFIXES, PLAIN):
        raise DataError(f"{what} has an unknown ending: the endings that are read are {', '.join(SUFFIXES)}.")
    content = _content(source, what, limit_bytes)
    reader = plain if suffix == PLAIN and plain else _reader(suffix, header, known, UNPACKED * limit_bytes)
    frame = reader(content, what)
    _refuse_nul(frame, what)
    return frame


def base_name(name: str) -> str:
    """Return the last part of a file name, whichever way its slashes lean."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _reader(suffix: str, header: HeaderChoice, names: Collection[str], most: int) -> Reader:
    known = {name.casefold() for name in names}
    readers: dict[str, Reader] = {
        ".csv": lambda content, what: read_delimited(content, what, header=header, known=known),
        ".tsv": lambda content, what: read_delimited(content, what, tabs=True, header=header, known=known),
        ".jsonl": read_json_lines,
        ".json": read_json,
        ".parquet": lambda content, what: read_parquet(content, what, most),
        ".xlsx": lambda content, what: read_workbook(content, what, most, header=header, known=known),
        **dict.fromkeys(CONLL, read_conll),
    }
    return readers[suffix]


def _refuse_missing(path: Path) -> None:
    try:
        found = path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not found:
        raise DataError(f"There is no file {str(path)!r}: give the path of a {', '.join(SUFFIXES)} file.")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror}): give a file that this user may read.")


def _content(source: Path | bytes, what: str, limit_bytes: int) -> bytes:
    if isinstance(source, bytes):
        _refuse_size(len(source), what, limit_bytes)
        return source
    try:
        _refuse_size(source.stat().st_size, what, limit_bytes)
        return source.read_bytes()
    except OSError as error:
        raise _unreadable(source, error) from error


def _refuse_size(size: int, what: str, limit_bytes: int) -> None:
    if size == 0:
        raise DataError(f"{what} is empty: give a file with a header and at least one row.")
    if size > limit_bytes:
        raise DataError(
            f"{what} has {size / MIB:,.1f} MB and the limit is {limit_bytes / MIB:,.1f} MB: take a part of its rows, or "
            "raise LMSCOPE_UPLOAD_MB."
        )


def _refuse_nul(frame: pd.DataFrame, what: str) -> None:
    for column in frame.columns:
        if "\0" in column:
            raise DataError(f"{what} has a NUL byte in the name of a column: take it out.")
        found = frame[column].str.contains("\0", regex=False)
        if found.any():
            row = int(found.to_numpy().argmax()) + 1
            raise DataError(f"Row {row} of {what} has a NUL byte in the column {column!r}: take it out.")
