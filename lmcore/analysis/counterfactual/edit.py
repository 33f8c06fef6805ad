"""One edit of a text, several at once, and where the places of the text are afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from lmcore.models.text_tokens import word_spans
from lmcore.types import Input

SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """One change of a text.

    Attributes:
        column: the text that is changed where a row has several; empty where it has one.
        start: first character that is replaced.
        end: the character behind the last one; equal to ``start`` where something is put in.
        before: what stood there.
        after: what stands there now.
        kind: the name in EDITS of what made it.
    """

    column: str
    start: int
    end: int
    before: str
    after: str
    kind: str

    def said(self) -> str:
        """Return the edit as a few words, such as ``'great' → 'awful'``."""
        before, after = _short(self.before.strip()), _short(self.after.strip())
        if before == after:
            before, after = _short(self.before), _short(self.after)
        if not after:
            return f"without {before!r}"
        return f"with {after!r} put in" if not before else f"{before!r} → {after!r}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def columns_of(text: Input) -> dict[str, str]:
    """Return each text of an input by its column, a plain text under the empty name."""
    return {"": text} if isinstance(text, str) else dict(text)


def edited(text: Input, edits: Iterable[Edit]) -> Input:
    """Return an input with edits made, all of which give places of the unchanged one."""
    parts = columns_of(text)
    by_column: dict[str, list[Edit]] = {}
    for edit in edits:
        by_column.setdefault(edit.column, []).append(edit)
    made = {name: _edited(part, by_column.get(name, ())) for name, part in parts.items()}
    return made[""] if isinstance(text, str) else made


def fit_together(text: Input, edits: Sequence[Edit]) -> bool:
    """Say whether edits can be made at once: no two change the same character, but for white space around words."""
    parts = columns_of(text)
    ordered = sorted(edits)
    for one, two in pairwise(ordered):
        if one.column != two.column:
            continue
        shared = parts[one.column][two.start : min(one.end, two.end)]
        if (one.start, one.end) == (two.start, two.end) or shared.strip():
            return False
        if two.start < one.end and (one.after.strip() or two.after.strip()):
            return False
    return True


def moved(edits: Sequence[Edit], start: int, end: int) -> tuple[int, int]:
    """Return where a stretch of a text stands after edits of that text; it is empty where all of it was deleted."""
    first, last, done = start, end, 0
    for edit in sorted(edits):
        shift = len(edit.after) - (edit.end - max(edit.start, done))
        begins = max(edit.start, done)
        if edit.end <= start:
            first += shift
        elif begins < start:
            first += begins - start
        if edit.end <= end and not (edit.start == edit.end == end):
            last += shift
        elif begins < end < edit.end:
            last += begins - end + len(edit.after)
        done = max(done, edit.end)
    return first, max(first, last)


def words_changed(text: Input, edits: Iterable[Edit]) -> int:
    """Count the words of the unchanged input that edits touch; what is put in between words counts as one."""
    spans = {name: _spans(part) for name, part in columns_of(text).items()}
    count = 0
    touched: set[tuple[str, int]] = set()
    for edit in edits:
        found = {(edit.column, start) for start, end in spans[edit.column] if _differs(edit, start, end)}
        count += not found
        touched |= found
    return count + len(touched)


def marked_words(text: Input, edits: Iterable[Edit]) -> Mapping[str, list[tuple[str, str]]]:
    """Return each column as stretches in their order: ``same``, ``gone`` or ``new``, and the characters."""
    chosen = list(edits)
    found: dict[str, list[tuple[str, str]]] = {}
    for name, part in columns_of(text).items():
        stretches, place = [], 0
        for edit in sorted(edit for edit in chosen if edit.column == name):
            start = max(edit.start, place)
            stretches += [("same", part[place:start]), ("gone", part[start : edit.end]), ("new", edit.after)]
            place = max(place, edit.end)
        stretches.append(("same", part[place:]))
        found[name] = [(kind, piece) for kind, piece in stretches if piece]
    return found


@lru_cache(maxsize=4)
def _spans(text: str) -> list[tuple[int, int]]:
    return word_spans(text)


def _edited(text: str, edits: Iterable[Edit]) -> str:
    pieces, place = [], 0
    for edit in sorted(edits):
        pieces += [text[place : max(edit.start, place)], edit.after]
        place = max(edit.end, place)
    return "".join([*pieces, text[place:]])


def _differs(edit: Edit, start: int, end: int) -> bool:
    if edit.start >= end or edit.end <= start:
        return False
    if len(edit.before) != len(edit.after):
        return True
    low, high = max(start, edit.start) - edit.start, min(end, edit.end) - edit.start
    return edit.before[low:high] != edit.after[low:high]
