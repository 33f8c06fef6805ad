"""The same words written otherwise: in other letter case, in other width, with other punctuation."""

import re

import numpy as np

from lmcore.analysis.counterfactual.source import Change, EditSource

_WIDE = 0xFEE0
_MARKS = ",.;:!?，。；：！？、…"
_FULL_OF = dict(zip(",.;:!?()", "，。；：！？（）", strict=True))
_HALF_OF = {full: half for half, full in _FULL_OF.items()}
_MARK = re.compile(rf"(?<!\d)[{re.escape(_MARKS)}]+(?!\d)")
_LATIN = re.compile(r"[A-Za-z]")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def letter_case(source: EditSource, rng: np.random.Generator) -> list[Change]:
    """Write each word in capitals, or without its capital; and the whole text so, where it has no marks."""
    found = []
    for word in source.words:
        if _LATIN.search(word.text):
            found.append(Change(word.start, word.end, word.text.upper()))
            if word.text[0].isupper():
                found.append(Change(word.start, word.end, word.text.lower()))
    if not source.protected and _LATIN.search(source.text):
        whole = [source.text.upper(), source.text.lower(), source.text.title()]
        found += [Change(0, len(source.text), text) for text in whole if len(text) == len(source.text)]
    return found


def character_width(source: EditSource, rng: np.random.Generator) -> list[Change]:
    """Write words of letters and digits in full width, as Chinese keyboards do, or full width ones in half width."""
    found = []
    for word in source.words:
        half = "".join(chr(ord(c) - _WIDE) if 0xFF01 <= ord(c) <= 0xFF5E else c for c in word.text)
        if half != word.text:
            found.append(Change(word.start, word.end, half))
        elif word.text.isascii():
            found.append(Change(word.start, word.end, "".join(chr(ord(c) + _WIDE) for c in word.text)))
    return found


def punctuation(source: EditSource, rng: np.random.Generator) -> list[Change]:
    """Leave out each mark, write it in the other width, and end the text with another mark."""
    text, found = source.text, []
    for match in _MARK.finditer(text):
        start, end = match.span()
        found.append(Change(start, end, ""))
        other = "".join(_FULL_OF.get(c) or _HALF_OF.get(c, c) for c in match.group())
        found.append(Change(start, end, other))
    end = len(text.rstrip())
    start = end - len(text[:end]) + len(text[:end].rstrip(_MARKS))
    marks = "。！？" if _HAN.search(text) else ".!?"
    found += [Change(start, end, mark) for mark in marks]
    return found
