"""What a text is explained by: its tokens, words, phrases or sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.attribution.games import Tree
from lmcore.analysis.attribution.methods import UNITS
from lmcore.data.stretches import phrase_places, sentence_places
from lmcore.models.reading import Reading
from lmcore.models.text_tokens import word_spans


@dataclass(frozen=True, eq=False)
class Units:
    """Stretches of what a model reads, each of which is scored as one.

    Attributes:
        kind: one of `UNITS`.
        names: the stretch of the text that each stands for, white space around it left out.
        spans: first character and the one after the last, int64 of shape (units, 2).
        places: the tokens of each, int64.
        tokens: how many tokens there are in all, those of no unit included.
    """

    kind: str
    names: tuple[str, ...]
    spans: np.ndarray
    places: tuple[np.ndarray, ...]
    tokens: int

    def __len__(self) -> int:
        return len(self.names)

    def spread(self, scores: np.ndarray) -> np.ndarray:
        """Share each unit's score out among its tokens, evenly; shape (tokens,)."""
        found = np.zeros(self.tokens, dtype=np.float64)
        for places, score in zip(self.places, scores, strict=True):
            found[places] = score / len(places)
        return found

    def sums(self, scores: np.ndarray) -> np.ndarray:
        """Add up the scores of each unit's tokens; shape (units,)."""
        return np.array([scores[places].sum() for places in self.places], dtype=np.float64)

    def chosen(self, kept: np.ndarray) -> "Units":
        """Return some of the units, bool of shape (units,); tokens of the others belong to none."""
        numbers = np.flatnonzero(kept)
        names, places = tuple(self.names[n] for n in numbers), tuple(self.places[n] for n in numbers)
        return Units(self.kind, names, self.spans[numbers], places, self.tokens)

    def to_frame(self, scores: np.ndarray) -> pd.DataFrame:
        """Return ``unit``, ``start``, ``end`` and ``score``."""
        start, end = self.spans.T
        return pd.DataFrame({"unit": self.names, "start": start, "end": end, "score": scores})


def open_places(reading: Reading, tokenizer: Any) -> np.ndarray:
    """Say which tokens can be taken away: those that stand for the text, but for a gap that is to be filled.

    Returns:
        bool of shape (tokens,).
    """
    gap = -1 if tokenizer.mask_token_id is None else tokenizer.mask_token_id
    found: np.ndarray = ~reading.tokens.special & (reading.tokens.ids != gap)
    return found


def cut_units(reading: Reading, kind: str, kept: np.ndarray) -> Units:
    """Cut what is read into units; none reaches from one column, or from the input, into another.

    Args:
        reading: the tokens.
        kind: one of `UNITS`; Chinese words are whole, and a mark is a word of its own.
        kept: which tokens belong to a unit, bool of shape (tokens,).
    """
    offsets, begins = reading.tokens.offsets, reading.tokens.begins
    places = np.flatnonzero(kept)
    if kind == "token":
        groups = [[int(place)] for place in places]
    else:
        stretches = _stretches(reading, kind)
        owner = np.full(len(reading.tokens.text) + 1, -1, dtype=np.int64)
        for number, (start, end) in enumerate(stretches):
            owner[start:end] = number
        found: dict[Any, list[int]] = {}
        for place in places.tolist():
            number = int(owner[begins[place]])
            key = stretches[number] if number >= 0 else tuple(offsets[place].tolist())
            found.setdefault((place >= reading.first, *key), []).append(place)
        groups = list(found.values())
    return _units(reading, kind, groups)


def hierarchy(reading: Reading, units: Units) -> Tree:
    """Return units in halves: of the columns first, then of their sentences, phrases and words."""
    above = [kind for kind in reversed(UNITS[1:]) if UNITS.index(kind) > UNITS.index(units.kind)]
    begins = np.array(sorted(reading.parts.values()))
    levels = [np.searchsorted(begins, units.spans[:, 0], side="right")]
    for kind in above:
        starts = np.array([start for start, _ in _stretches(reading, kind)])
        levels.append(np.searchsorted(starts, units.spans[:, 0], side="right"))
    return _grouped(list(range(len(units))), levels)


def _grouped(members: list[int], levels: Sequence[np.ndarray]) -> Tree:
    if not levels or len(members) == 1:
        return halved([Tree((number,)) for number in members])
    groups: dict[int, list[int]] = {}
    for number in members:
        groups.setdefault(int(levels[0][number]), []).append(number)
    return halved([_grouped(group, levels[1:]) for group in groups.values()])


def halved(trees: Sequence[Tree]) -> Tree:
    """Join trees, each fork in the middle of those that it joins."""
    if len(trees) == 1:
        return trees[0]
    middle = len(trees) // 2
    parts = halved(trees[:middle]), halved(trees[middle:])
    return Tree(parts[0].units + parts[1].units, parts)


def _units(reading: Reading, kind: str, groups: Sequence[list[int]]) -> Units:
    begins, offsets, text = reading.tokens.begins, reading.tokens.offsets, reading.tokens.text
    spans = [(int(begins[group].min()), int(offsets[group, 1].max())) for group in groups]
    names = tuple(text[start:end].strip() or text[start:end] for start, end in spans)
    return Units(
        kind,
        names,
        np.array(spans, dtype=np.int64).reshape(-1, 2),
        tuple(np.array(group, dtype=np.int64) for group in groups),
        len(reading),
    )


def _stretches(reading: Reading, kind: str) -> list[tuple[int, int]]:
    """Return where the units of a kind stand in the joined text, part by part."""
    cut = {"word": word_spans, "phrase": phrase_places, "sentence": sentence_places}[kind]
    text = reading.tokens.text
    begins = sorted(reading.parts.values())
    ends = [*begins[1:], len(text)]
    return [(a + begin, b + begin) for begin, end in zip(begins, ends, strict=True) for a, b in cut(text[begin:end])]
