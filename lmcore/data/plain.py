"""Plain text files: a text a line, paragraphs, or pairs beside each other."""

import io
import re

import pandas as pd

from lmcore.data.encoding import detect_encoding
from lmcore.errors import DataError

PAIRED = ("source", "target", "links")
_SEPARATOR = re.compile(r"\s*\|\|\|\s*")


def read_plain(content: bytes, what: str) -> pd.DataFrame:
    """Read a text file by what is in it.

    Where every line that is not blank holds one or two ``|||``, the lines are pairs, perhaps with links. Where blank lines
    set blocks apart of which one at least has several lines, the blocks are the texts, with their line ends. Otherwise each
    line is a text.

    Args:
        content: the whole file.
        what: its name, for messages.

    Returns:
        The column ``text``, or ``source``, ``target`` and, where they are there, ``links``; blank lines are passed over.

    Raises:
        DataError: the file is binary, or has nothing but white space.
    """
    text = io.TextIOWrapper(io.BytesIO(content), detect_encoding(content, what), newline=None).read()
    lines = text.removeprefix("\ufeff").split("\n")
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise DataError(f"{what} is empty: give a file with at least one line of text.")
    parts = [_SEPARATOR.split(line.strip()) for line in filled]
    width = len(parts[0])
    if width in (2, 3) and all(len(part) == width for part in parts):
        return pd.DataFrame(parts, columns=list(PAIRED[:width]), dtype="str")
    blocks = _blocks(lines)
    texts = ["\n".join(block) for block in blocks] if len(blocks) > 1 and any(len(b) > 1 for b in blocks) else filled
    return pd.DataFrame({"text": pd.Series([t.strip() for t in texts], dtype="str")})


def _blocks(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]
