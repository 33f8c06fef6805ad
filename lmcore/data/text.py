"""Characters and words of English and Chinese text."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import islice

LOOKED_AT = 200
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_MARKUP = re.compile(r"([\\`*_\[\]|~<>$])")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def comparison_key(text: str) -> str:
    """Return what two texts must share to be exact duplicates: letter case and white space do not count."""
    return _SPACE.sub(" ", text).strip().casefold()


def is_chinese(text: str) -> bool:
    """Say whether at least a fifth of the visible characters are Chinese."""
    visible = sum(not c.isspace() for c in text)
    return visible > 0 and len(_HAN.findall(text)) >= visible / 5


def mostly_chinese(texts: Iterable[str]) -> bool:
    """Say whether more than half of the first texts are Chinese."""
    looked_at = [is_chinese(text) for text in islice(texts, LOOKED_AT)]
    return sum(looked_at) > len(looked_at) / 2


def words(text: str) -> list[str]:
    """Cut a text into words, without punctuation; Chinese is cut by dictionary (jieba's cut)."""
    if not _HAN.search(text):
        return _WORD.findall(text)
    import rjieba

    return [word for word in rjieba.cut(text) if _WORD.search(word)]


def is_blank(text: str) -> bool:
    """Say whether nothing can be seen of a text: white space, control and zero-width characters alone."""
    return all(c.isspace() or unicodedata.category(c) in {"Cc", "Cf"} for c in text)


def tidy(text: str) -> str:
    """Strip, make every run of white space one space, and drop control and zero-width characters.

    Joiners inside emoji sequences stay.
    """
    if text.isprintable():
        return _SPACE.sub(" ", text).strip()
    kept = "".join(c for c in text if c.isspace() or c == "\u200d" or unicodedata.category(c) not in {"Cc", "Cf"})
    return _SPACE.sub(" ", kept).strip()


def inline_markdown(text: str) -> str:
    """Return a text on one line so that Markdown shows it as it is within a sentence or a table's cell."""
    return _MARKUP.sub(r"\\\1", _SPACE.sub(" ", text).strip())
