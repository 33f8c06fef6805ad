"""What edits are made from: a text, its words, and what must stay as it is."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import word_spans
from lmcore.tasks.relation import MARKS
from lmcore.types import Prediction

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_MARK = re.compile("|".join(map(re.escape, MARKS)))


class Change(NamedTuple):
    """What an edit does: the first character, the one behind the last, and what takes their place."""

    start: int
    end: int
    after: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text; Chinese words are whole, punctuation is none.

    Attributes:
        start: its first character.
        end: the character behind its last one.
        text: the word.
    """

    start: int
    end: int
    text: str

    @property
    def is_chinese(self) -> bool:
        """Whether it has a Chinese character."""
        return bool(_HAN.search(self.text))

    @property
    def is_latin(self) -> bool:
        """Whether it is written in the letters a to z, an apostrophe or hyphen apart."""
        letters = self.text.replace("'", "").replace("’", "").replace("-", "")
        return letters.isascii() and letters.isalpha()


@dataclass(frozen=True, eq=False)
class EditSource:
    """One text that is to be edited.

    Attributes:
        text: the text.
        prediction: what the model says of it, where that is known.
        loaded: the model, for edits that look into it; None where it is only asked.
        towards: the label that edits should lead to; empty for any other than the predicted one.
    """

    text: str
    prediction: Prediction | None = None
    loaded: LoadedModel | None = field(default=None, repr=False)
    towards: str = ""

    @cached_property
    def protected(self) -> list[tuple[int, int]]:
        """Stretches that no edit may touch: the marks of a relation's two things."""
        return [match.span() for match in _MARK.finditer(self.text)]

    @cached_property
    def words(self) -> list[Word]:
        """The words, in their order, without those inside protected stretches."""
        kept = (span for span in word_spans(self.text) if not self.is_protected(*span))
        return [Word(start, end, self.text[start:end]) for start, end in kept]

    def is_protected(self, start: int, end: int) -> bool:
        """Say whether a stretch touches something protected; a place between two characters does inside of it alone."""
        if start == end:
            return any(a < start < b for a, b in self.protected)
        return any(start < b and end > a for a, b in self.protected)

    def allows(self, change: Change) -> bool:
        """Say whether a change changes something, and leaves the text readable for the model."""
        start, end, after = change
        before = self.text[start:end]
        if before == after or self.is_protected(start, end):
            return False
        if self.protected:
            return keeps_marks(self.text, self.text[:start] + after + self.text[end:])
        return self._visible - _visible(before) + _visible(after) > 0

    @cached_property
    def _visible(self) -> int:
        return _visible(self.text)


def keeps_marks(before: str, after: str) -> bool:
    """Say whether a text that was edited still has something to read, and within each pair of its marks too."""
    marks = _MARK.findall(before)
    if not after.strip() or _MARK.findall(after) != marks:
        return False
    inside = [not mark.startswith("</") for mark in marks]
    pieces = zip(inside, _MARK.split(before)[1:], _MARK.split(after)[1:], strict=True)
    return not any(within and had.strip() and not has.strip() for within, had, has in pieces)


def _visible(text: str) -> int:
    return len(text) - sum(map(str.isspace, text))
