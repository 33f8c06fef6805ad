"""Plain text files: a text a line, or paragraphs."""

import io

import pandas as pd

from lmcore.data.encoding import detect_encoding
from lmcore.errors import DataError


def read_plain(content: bytes, what: str) -> pd.DataFrame:
    """Read a text file by what is in it.

    Where blank lines set blocks apart of which one at least has several lines, the blocks are the texts, with their line
    ends. Otherwise each line is a text.

    Args:
        content: the whole file.
        what: its name, for messages.

    Returns:
        The column ``text``, without white space at the ends of lines; blank lines are passed over.

    Raises:
        DataError: the file is binary, or has nothing but white space.
    """
    text = io.TextIOWrapper(io.BytesIO(content), detect_encoding(content, what)).read()
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if not blocks:
        raise DataError(f"{what} has no text: give a file with at least one line.")
    by_block = len(blocks) > 1 and any(len(block) > 1 for block in blocks)
    texts = ["\n".join(block) for block in blocks] if by_block else [line for block in blocks for line in block]
    return pd.DataFrame({"text": texts}, dtype="str")
