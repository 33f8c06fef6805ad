"""Properties of the words of texts."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.probes.bins import Bins
from lmcore.analysis.probes.examples import Examples, Prepared, Source, check_classes, column_of, words_of
from lmcore.errors import DataError
from lmcore.models.encode import counted
from lmcore.tasks.bio import Place, spaced_words
from lmcore.tasks.predicted import row_number

if TYPE_CHECKING:
    import pandas as pd

Marked = list[tuple[Place, str]]


def tags(source: Source, *, column: str) -> Prepared:
    """Read the tag of each word; rows without tags are left out, and a tag that train lacks counts as missed.

    Raises:
        DataError: there is no such column, a row has not as many tags as words, or train has fewer than two tags.
    """
    marked = {split: _tagged(source.parts[split], source.texts(split), column) for split in source.parts}
    found = {tag for row in marked["train"] for _, tag in row}
    return _prepared(source, check_classes(sorted(found), f"The column {column}"), marked)


def identity(source: Source, *, words: int) -> Prepared:
    """Tell the most frequent words of train apart; letter case does not count, and other words are left out.

    Raises:
        DataError: the texts of train have fewer than two different words.
    """
    whole = {split: _each_word(source, split, lambda word, place: word) for split in source.parts}
    counts = Counter(word for row in whole["train"] for _, word in row)
    # Of equally frequent words the first by alphabet, whatever the order of the rows.
    chosen = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:words]]
    classes = check_classes(chosen, "The word")
    known = set(classes)
    kept = {split: [[each for each in row if each[1] in known] for row in rows] for split, rows in whole.items()}
    return _prepared(source, classes, kept)


def position(source: Source, *, bins: int) -> Prepared:
    """Count how many words stand before each word, and put the counts into classes.

    Raises:
        DataError: no text of train has two words.
    """
    whole = {split: _each_word(source, split, lambda word, place: str(place)) for split in source.parts}
    places = np.array([int(place) for row in whole["train"] for _, place in row])
    made = Bins(places, bins, what="The position", unit="words before")
    named = {}
    for split, rows in whole.items():
        named[split] = [[(span, str(made.name(np.array([int(n)]))[0])) for span, n in row] for row in rows]
    return _prepared(source, made.names, named)


def every_word(source: Source, split: str) -> tuple[list[int], Examples]:
    """Return the words of a split, with nothing to be told about them, and which of its texts they are in.

    Raises:
        DataError: there is none.
    """
    rows = _each_word(source, split, lambda word, place: "")
    kept = _sample([len(row) for row in rows], source.most_words, source.rng(split))
    texts = source.texts(split)
    found = _examples(source, [(texts[place], rows[place]) for place in kept])
    if not len(found):
        raise DataError("There is no word in the texts: give some with words.")
    return kept, found


def _each_word(source: Source, split: str, value: Callable[[str, int], str]) -> list[Marked]:
    texts = source.texts(split)
    return [
        [((start, end), value(text[start:end].casefold(), n)) for n, (start, end) in enumerate(places)]
        for text, places in zip(texts, words_of(source, split), strict=True)
    ]


def _tagged(frame: "pd.DataFrame", texts: Sequence[str], column: str) -> list[Marked]:
    found: list[Marked] = []
    for number, (text, cell) in enumerate(zip(texts, column_of(frame, column), strict=True)):
        places, given = spaced_words(text), cell.split()
        if given and len(given) != len(places):
            raise DataError(
                f"Row {row_number(frame, number)} has {len(places)} words and {len(given)} values in the column {column}: "
                "give one for each word, both separated by spaces."
            )
        found.append(list(zip(places, given, strict=True)) if given else [])
    return found


def _prepared(source: Source, classes: Sequence[str], marked: dict[str, list[Marked]]) -> Prepared:
    parts = {}
    for split, rows in marked.items():
        texts = source.texts(split)
        kept = _sample([len(row) for row in rows], source.most_words, source.rng(split))
        parts[split] = _examples(source, [(texts[place], rows[place]) for place in kept])
        if not len(parts[split]):
            raise DataError(f"The split {split} has no word with a value of what is probed.")
    return Prepared(tuple(classes), parts, "word")


def _sample(counts: Sequence[int], most: int, rng: np.random.Generator) -> list[int]:
    """Return which texts are probed, in order: whole ones, drawn until they have the most words together."""
    order = [int(place) for place in rng.permutation(len(counts)) if counts[place]]
    running = np.cumsum([counts[place] for place in order])
    return sorted(order[: max(1, int(np.searchsorted(running, most, side="right")))])


def _examples(source: Source, rows: Sequence[tuple[str, Marked]]) -> Examples:
    """Find the tokens of each word; a word that the model does not read, or only a part of, is left out."""
    encoded, offsets, cut = _encode(source.tokenizer, [text for text, _ in rows], source.max_length)
    values, types, owners, tokens = [], [], [], []
    for number, (text, marked) in enumerate(rows):
        of_word = _tokens_of(offsets[number], [place for place, _ in marked], cut[number])
        for ((start, end), value), found in zip(marked, of_word, strict=True):
            if len(found):
                values.append(value)
                types.append(text[start:end].casefold())
                owners.append(number)
                tokens.append(found)
    encodings = counted(source.tokenizer, encoded, truncated=np.array(cut, dtype=bool))
    places = np.array(owners, dtype=np.int64)
    return Examples(encodings, np.array(values, dtype=object), tuple(types), places, tuple(tokens))


def _encode(
    tokenizer: Any, texts: Sequence[str], max_length: int
) -> tuple[list[list[int]], list[list[Place]], list[bool]]:
    if not texts:
        return [], [], []
    out = tokenizer(
        list(texts), truncation=True, max_length=max_length, return_offsets_mapping=True,
        return_overflowing_tokens=True,
    )  # fmt: skip
    owner = np.asarray(out["overflow_to_sample_mapping"])
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    cut = np.bincount(owner, minlength=len(texts)) > 1
    return [out["input_ids"][n] for n in first], [out["offset_mapping"][n] for n in first], cut.tolist()


def _tokens_of(offsets: Sequence[Place], places: Sequence[Place], cut: bool) -> list[np.ndarray]:
    """Return the places of the tokens that touch each word; none for one that reaches the end of what was read."""
    starts = np.array([start for start, _ in offsets], dtype=np.int64)
    ends = np.array([end for _, end in offsets], dtype=np.int64)
    read = int(ends.max(initial=0))
    found = []
    for start, end in places:
        touching = np.flatnonzero((starts < end) & (ends > start) & (ends > starts))
        found.append(touching[:0] if cut and end >= read else touching)
    return found
