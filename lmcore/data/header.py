"""Whether a table's first row names its columns."""

import re
from collections.abc import Collection, Sequence
from typing import Literal

from lmcore.data.cells import free_name
from lmcore.errors import DataError, OptionError

HeaderChoice = Literal["auto", "yes", "no"]
PEEK = 100
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")
_SENTENCE = re.compile(r"[.!?…。！？，；]")
_LONGEST = 40


def name_columns(
    rows: Sequence[Sequence[str]], what: str, *, header: HeaderChoice = "auto", known: Collection[str] = ()
) -> tuple[list[str], int]:
    """Name the columns of a table.

    Args:
        rows: its first rows, up to `PEEK` of them, all of the same width.
        what: the file's name, for messages.
        header: whether the first row is a header; ``auto`` guesses.
        known: column names that the task knows, in lower case.

    Returns:
        The names (``column 1`` … where there is no header), and the number of the first row that is data.

    Raises:
        DataError: there are no rows, or none besides the header.
        OptionError: ``header`` is none of the three.
    """
    if header not in {"auto", "yes", "no"}:
        raise OptionError(f"The option header is {header!r}: give one of auto, yes, no.")
    if not rows:
        raise DataError(f"{what} is empty: give a file with a header and at least one row.")
    if header == "no" or (header == "auto" and not looks_like_header(rows, known)):
        return [f"column {n}" for n in range(1, len(rows[0]) + 1)], 0
    if len(rows) == 1:
        raise DataError(f"{what} has a header and no rows: give at least one row below it.")
    names: list[str] = []
    for number, cell in enumerate(rows[0], 1):
        names.append(free_name(cell.strip() or f"column {number}", names))
    return names, 1


def looks_like_header(rows: Sequence[Sequence[str]], known: Collection[str] = ()) -> bool:
    """Guess whether the first row names the columns.

    It does where it has a known name; it does not where one of its cells is empty, a number, a sentence, used
    twice, or found again below in the same column.
    """
    first = [cell.strip() for cell in rows[0]]
    if any(len(cell) > _LONGEST for cell in first):
        return False
    if any(cell.casefold() in known for cell in first):
        return True
    if not all(first[1:]) or len(set(first)) < len(first):
        return False
    if any(_NUMBER.fullmatch(cell) or _SENTENCE.search(cell) for cell in first):
        return False
    return not any(cell and cell == row[n].strip() for row in rows[1:] for n, cell in enumerate(first))
