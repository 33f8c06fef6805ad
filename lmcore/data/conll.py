"""CoNLL files: one word a line with its tag last, a blank line after each sentence."""

from collections.abc import Iterator

import pandas as pd

from lmcore.data.encoding import detect_encoding
from lmcore.errors import DataError
from lmcore.tasks.bio import strange_tag


def read_conll(content: bytes, what: str) -> pd.DataFrame:
    """Read words and tags; the columns are cut at tabs where a line has one, else at spaces.

    Comments (``# id = 4``) and ``-DOCSTART-`` lines are passed over, and columns between word and tag are left out.
    A space inside a word becomes a no-break space.

    Returns:
        ``text`` and ``tags``, joined by single spaces, one row a sentence.

    Raises:
        DataError: a line has a word and no tag; the message names it. Or there is no sentence.
    """
    rows = list(_sentences(content.decode(detect_encoding(content, what)), what))
    if not rows:
        raise DataError(f"{what} has no sentence: write a word and its tag on each line.")
    return pd.DataFrame(rows, columns=["text", "tags"], dtype="str")


def _sentences(text: str, what: str) -> Iterator[tuple[str, str]]:
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        fields = _fields(line.rstrip("\r"))
        if fields and (fields[0] == "-DOCSTART-" or _is_comment(line, fields)):
            continue
        if fields:
            if len(fields) < 2 or not fields[0] or not fields[-1]:
                raise DataError(
                    f"Line {number} of {what} has not both a word and a tag: write the word first and its tag last, with a "
                    "tab or a space between."
                )
            words.append("\u00a0".join(fields[0].split(" ")))
            tags.append(fields[-1])
        elif words:
            yield " ".join(words), " ".join(tags)
            words, tags = [], []
    if words:
        yield " ".join(words), " ".join(tags)


def _fields(line: str) -> list[str]:
    """Return the columns of a line, none for a blank one."""
    if not line.strip(" \t"):
        return []
    return [field.strip(" ") for field in line.split("\t")] if "\t" in line else [f for f in line.split(" ") if f]


def _is_comment(line: str, fields: list[str]) -> bool:
    return fields[0].startswith("#") and "\t" not in line and (len(fields) < 2 or strange_tag(fields[-1:]) is not None)
