"""Small edits of a text after which a map should look the same."""

import re
from dataclasses import dataclass

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.models.text_tokens import word_spans
from lmcore.types import Target

_GAP = re.compile(r"(?<=\S) (?=\S)")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edited input.

    Attributes:
        kind: ``typo`` or ``white space``.
        column: which column was edited.
        text: what it says now.
    """

    kind: str
    column: str
    text: str


def small_edits(asked: Asked, count: int, *, seed: int = 0) -> list[Edit]:
    """Return edits of the column that is read last: a doubled space, and words with two neighbouring letters swapped.

    Characters before the end of a target that stands in the text are left alone, so that its place stays right.

    Args:
        asked: the text with its target.
        count: edits at most.
        seed: of the words and letters.
    """
    column = asked.reading.last_part
    return text_edits(column, columns_of_reading(asked)[column], asked.target, count, seed=seed)


def text_edits(column: str, text: str, target: Target, count: int, *, seed: int = 0) -> list[Edit]:
    """Return such edits of a column's text; see `small_edits`."""
    rng = np.random.default_rng(seed)
    spared = _target_end(target)
    found = []
    gaps = [match.start() for match in _GAP.finditer(text) if match.start() >= spared]
    if gaps:
        place = gaps[int(rng.integers(len(gaps)))]
        found.append(Edit("white space", column, text[:place] + " " + text[place:]))
    places = [span for span in word_spans(text) if span[0] >= spared and _swaps(text, *span)]
    for number in rng.permutation(len(places))[: max(count - len(found), 0)]:
        swaps = _swaps(text, *places[number])
        at = swaps[int(rng.integers(len(swaps)))]
        found.append(Edit("typo", column, text[:at] + text[at + 1] + text[at] + text[at + 2 :]))
    return found[:count]


def columns_of_reading(asked: Asked) -> dict[str, str]:
    """Return the text of each column that was read, without the output."""
    parts = sorted(asked.reading.parts.items(), key=lambda item: item[1])
    text = asked.reading.tokens.text
    ends = [start - 1 for _, start in parts[1:]] + [len(text)]
    return {name: text[start:end] for (name, start), end in zip(parts, ends, strict=True) if name != "output"}


def _target_end(target: Target) -> int:
    return target.end if target.kind in ("tag", "span") else 0


def _swaps(text: str, start: int, end: int) -> list[int]:
    """Return where two neighbouring letters of a word differ, its first letter left alone where it has more than two."""
    begin = start + (end - start > 2)
    return [at for at in range(begin, end - 1) if text[at] != text[at + 1] and text[at : at + 2].isalpha()]
