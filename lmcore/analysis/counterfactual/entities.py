"""Names, places, days and numbers swapped for others of their sort."""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np

from lmcore.analysis.counterfactual.lexicon import names, written_like
from lmcore.analysis.counterfactual.source import Change, EditSource

_DIGITS = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)|(?<=[\u4e00-\u9fff])\d+(?=[\u4e00-\u9fff])")
_COUNTED = re.compile(r"^([两三四五六七八九十])(?=$|[天个年次元块斤米间件位点人分小种本只])")
_YEAR = re.compile(r"(?:19|20)\d\d")


def swapped_entities(source: EditSource, rng: np.random.Generator, *, most: int = 2) -> list[Change]:
    """Swap each name of a list, and each number, for others of the same sort and language.

    Args:
        source: the text.
        rng: draws the others.
        most: swaps of one name, at most.
    """
    found = []
    for start, end, others in [*_english(source.text), *_chinese(source)]:
        own = source.text[start:end]
        choices = [item for item in others if item.casefold() != own.casefold()]
        chosen = rng.permutation(len(choices))[:most]
        found += [Change(start, end, written_like(own, choices[n])) for n in chosen]
    for match in _DIGITS.finditer(source.text):
        drawn = dict.fromkeys(_other_number(match.group(), rng) for _ in range(most))
        found += [Change(*match.span(), number) for number in drawn]
    return found


def _english(text: str) -> Iterator[tuple[int, int, list[str]]]:
    for sort, known in names()["en"].items():
        for match in _pattern(sort).finditer(text):
            yield *match.span(), known


def _chinese(source: EditSource) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the names that begin and end where words do, so that no word is cut in two."""
    begins = {word.start for word in source.words if word.is_chinese}
    ends = {word.end for word in source.words if word.is_chinese}
    for sort, known in names()["zh"].items():
        for name in known if sort != "number" else ():
            for match in re.finditer(re.escape(name), source.text):
                if match.start() in begins and match.end() in ends:
                    yield *match.span(), [item for item in known if (item[0] == "周") == (name[0] == "周")]
    for word in source.words:
        counted = _COUNTED.match(word.text)
        if counted:
            yield word.start, word.start + 1, names()["zh"]["number"]


@cache
def _pattern(sort: str) -> re.Pattern[str]:
    longest_first = sorted(names()["en"][sort], key=len, reverse=True)
    flags = re.IGNORECASE if sort == "number" else re.NOFLAG
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", flags)


def _other_number(own: str, rng: np.random.Generator) -> str:
    """Return another number of as many digits; a year stays in its century and changes by nine at most."""
    if _YEAR.fullmatch(own):
        return f"{own[:3]}{(int(own[3]) + int(rng.integers(1, 10))) % 10}"
    digits = [n for n, character in enumerate(own) if character.isdecimal()]
    written = list(own)
    for n in digits:
        written[n] = str(rng.integers(1 if n == digits[0] and len(digits) > 1 else 0, 10))
    changed = "".join(written)
    if changed != own:
        return changed
    last = digits[-1]
    return own[:last] + str((int(own[last]) + 1) % 10) + own[last + 1 :]
