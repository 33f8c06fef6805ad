"""XLSX workbooks: the first sheet."""

import io
import warnings
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

import pandas as pd

from lmcore.data.cells import build_frame, cell_text
from lmcore.data.header import PEEK, HeaderChoice, name_columns
from lmcore.errors import DataError
from lmcore.settings import MIB

MOST_CELLS = 10_000_000


def read_workbook(
    content: bytes, what: str, most: int, *, header: HeaderChoice = "auto", known: Collection[str] = ()
) -> pd.DataFrame:
    """Read the first sheet of an XLSX workbook as text: values, never formulas.

    Args:
        content: the whole file.
        what: its name, for messages.
        most: how many bytes its parts may take once unpacked.
        header: whether the first row names the columns.
        known: column names that the task knows, in lower case.

    Raises:
        DataError: it is damaged, empty, or too large once unpacked.
    """
    rows = _filled(_unpack(content, what, most), what)
    width = max((len(row) for row in rows), default=0)
    table = [row + [""] * (width - len(row)) for row in rows]
    names, start = name_columns(table[:PEEK], what, header=header, known=known)
    columns = zip(*table[start:], strict=True)
    return build_frame(names, [pd.Series(cells, dtype="str") for cells in columns])


def _unpack(content: bytes, what: str, most: int) -> Iterator[tuple[Any, ...]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    broken = DataError(f"{what} is not an XLSX workbook or is damaged: open it in a spreadsheet and save it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > most:
            raise DataError(
                f"{what} takes {size / MIB:,.0f} MB once unpacked and the limit is {most / MIB:,.0f} MB: "
                "take a part of its rows."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            if not book.worksheets:
                raise broken
            yield from book.worksheets[0].iter_rows(values_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, SyntaxError, EOFError, OSError) as error:
        raise broken from error


def _filled(rows: Iterator[tuple[Any, ...]], what: str) -> list[list[str]]:
    """Return the rows as text without empty ends and empty rows; padding cells count towards the limit too."""
    kept: list[list[str]] = []
    cells = 0
    for row in rows:
        cells += len(row)
        if cells > MOST_CELLS:
            raise DataError(f"{what} has more than {MOST_CELLS:,} cells: take a part of its rows and columns.")
        texts = [cell_text(value) for value in row]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            kept.append(texts)
    return kept
