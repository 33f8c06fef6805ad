"""Where the sentences and phrases of English and Chinese text stand."""

import re
from itertools import pairwise

from lmcore.data.text import words

Place = tuple[int, int]

# A closing mark ends a sentence where white space or the text's end follows it; a Chinese one always does.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+[”’」』）]*|\n+")
_PHRASE_END = re.compile(r"[,;:()\[\]，；：、（）—–]+(?=\D|$)")
_ENGLISH = """about after although and as at because before but by during for from if in into nor of on or over since so
than that though through to under unless until when where which while who with without yet"""
_CHINESE = "和 与 或 或者 但 但是 可是 不过 而 而且 因为 所以 如果 虽然 然后 以及 就是"
_CONNECTING = frozenset([*_ENGLISH.split(), *_CHINESE.split()])


def sentence_places(text: str) -> list[Place]:
    """Return where each sentence stands: first character and the one after the last; together they cover the text.

    A sentence ends with a closing mark before white space, with a Chinese closing mark, or with the line.
    """
    return _cut(text, [match.end() for match in _SENTENCE_END.finditer(text)])


def phrase_places(text: str) -> list[Place]:
    """Return where each phrase stands; together they cover the text.

    A phrase is what stands between two marks, cut before words that connect (and, because, of, 和, 因为 …); the mark
    belongs to the phrase before it, and a connecting word to the one that it begins.
    """
    ends = [end for _, end in sentence_places(text)] + [match.end() for match in _PHRASE_END.finditer(text)]
    place = 0
    for word in words(text):
        start = text.find(word, place)
        if start < 0:
            continue
        place = start + len(word)
        if word.casefold() in _CONNECTING:
            ends.append(start)
    return _cut(text, ends)


def _cut(text: str, ends: list[int]) -> list[Place]:
    """Cut a text behind each place; a piece without a visible character joins the one before it, at first the next."""
    found: list[Place] = []
    for start, end in pairwise(sorted({0, len(text), *ends})):
        if found and (not text[start:end].strip() or not text[found[-1][0] : found[-1][1]].strip()):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
