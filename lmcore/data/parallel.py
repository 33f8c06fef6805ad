"""Parallel text: a text and its counterpart on each line."""

import io

import pandas as pd

from lmcore.data.encoding import detect_encoding
from lmcore.errors import DataError

BAR = "|||"


def read_parallel(content: bytes, what: str) -> pd.DataFrame:
    """Read lines of the form ``source ||| target``, or with a tab between the two; blank lines are passed over.

    Args:
        content: the whole file.
        what: its name, for messages.

    Returns:
        The columns ``source`` and ``target``, without white space at their ends.

    Raises:
        DataError: the file is binary or has no pairs, or a line has not two parts; the message names the line.
    """
    lines = io.TextIOWrapper(io.BytesIO(content), detect_encoding(content, what)).read().split("\n")
    sign = BAR if any(BAR in line for line in lines) else "\t"
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split(sign)]
        if len(parts) != 2:
            raise DataError(
                f"Line {number} of {what} has {len(parts)} part{'s' * (len(parts) != 1)} where a source and a target are "
                f"wanted: put {BAR}, or one tab, between the two."
            )
        rows.append(parts)
    if not rows:
        raise DataError(f"{what} has no pairs of texts: give lines of the form source {BAR} target.")
    return pd.DataFrame(rows, columns=["source", "target"], dtype="str")
