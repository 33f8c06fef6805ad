"""Properties of whole texts."""

from collections.abc import Sequence

import numpy as np

from lmcore.analysis.probes.bins import Bins
from lmcore.analysis.probes.examples import Examples, Prepared, Source, check_classes, column_of, words_of
from lmcore.errors import DataError
from lmcore.models.encode import Encodings, encode_texts
from lmcore.tasks.bio import Place
from lmcore.tasks.classes import class_task

AS_WRITTEN, SWAPPED = "as written", "two words swapped"
_LEVELS = 10


def label(source: Source) -> Prepared:
    """Read the class that the data give each row.

    Raises:
        DataError: train has fewer than two classes, or another split has one that train lacks.
        OptionError: rows of the task do not have exactly one class each.
    """
    kind = class_task(source.task)
    kind.check(source.parts["train"], "The rows to probe on")
    labels = kind.labels(source.parts["train"])
    parts = {}
    for split, frame in source.parts.items():
        gold = kind.gold(frame, labels)
        encodings = kind.encode(source.tokenizer, frame, source.max_length)
        parts[split] = _examples(encodings, source.texts(split), [labels[number] for number in gold])
    return Prepared(labels, parts, "text")


def length(source: Source, *, bins: int, unit: str) -> Prepared:
    """Count the words or characters of each text, and put the counts into classes.

    Raises:
        DataError: all texts of train are equally long.
    """
    counts = {
        split: np.array([len(text) for text in source.texts(split)])
        if unit == "characters"
        else np.array([len(words) for words in words_of(source, split)])
        for split in source.parts
    }
    made = Bins(counts["train"], bins, what="The length", unit=unit)
    return _prepared(source, made.names, {split: made.name(numbers).tolist() for split, numbers in counts.items()})


def word_order(source: Source) -> Prepared:
    """Swap two adjacent words in half of the texts (the bigram shift of Conneau et al. 2018).

    Texts without two adjacent words that differ are left out.

    Raises:
        DataError: a split has fewer than two texts with two adjacent words that differ.
    """
    parts = {}
    for split in source.parts:
        rng = source.rng(split)
        texts, values = [], []
        for text, words in zip(source.texts(split), words_of(source, split), strict=True):
            pairs = [place for place in range(len(words) - 1) if _differ(text, words[place : place + 2])]
            if pairs:
                texts.append((text, words, int(rng.choice(pairs))))
        if len(texts) < 2:
            raise DataError(f"The split {split} has fewer than two texts with two words that could be swapped.")
        swapped = rng.permutation(np.arange(len(texts)) % 2 == 1)
        values = [SWAPPED if done else AS_WRITTEN for done in swapped]
        read = [_swap(*each) if done else each[0] for each, done in zip(texts, swapped, strict=True)]
        parts[split] = _examples(encode_texts(source.tokenizer, read, source.max_length), read, values)
    return Prepared((AS_WRITTEN, SWAPPED), parts, "text")


def column(source: Source, *, column: str, bins: int) -> Prepared:
    """Read a column of the data set; empty cells are left out, and more than ten different numbers put into classes.

    A value that train lacks counts as missed.

    Raises:
        DataError: there is no such column, or it has fewer than two values or too many.
    """
    cells = {split: column_of(frame, column).str.strip() for split, frame in source.parts.items()}
    known = cells["train"][cells["train"] != ""]
    numbers = _numbers(known.tolist())
    if numbers is None or known.nunique() <= _LEVELS:
        values = {split: each.tolist() for split, each in cells.items()}
        return _prepared(source, check_classes(sorted(known.unique()), f"The column {column}"), values)
    made = Bins(numbers, bins, what=f"The column {column}")
    named = {}
    for split, each in cells.items():
        found = [_numbers([cell]) for cell in each]
        named[split] = ["" if number is None else str(made.name(number)[0]) for number in found]
    return _prepared(source, made.names, named)


def _prepared(source: Source, classes: Sequence[str], values: dict[str, list[str]]) -> Prepared:
    parts = {}
    for split, found in values.items():
        kept = [place for place, value in enumerate(found) if value != ""]
        if not kept:
            raise DataError(f"The split {split} has no row with a value of what is probed.")
        texts = source.texts(split)
        read = [texts[place] for place in kept]
        encodings = encode_texts(source.tokenizer, read, source.max_length)
        parts[split] = _examples(encodings, read, [found[place] for place in kept])
    return Prepared(tuple(classes), parts, "text")


def _examples(encodings: Encodings, texts: Sequence[str], values: Sequence[str]) -> Examples:
    types = tuple(text.casefold() for text in texts)
    return Examples(encodings, np.array(values, dtype=object), types, np.arange(len(texts)))


def _differ(text: str, words: Sequence[Place]) -> bool:
    (a, b), (c, d) = words
    return text[a:b].casefold() != text[c:d].casefold()


def _swap(text: str, words: Sequence[Place], place: int) -> str:
    (a, b), (c, d) = words[place : place + 2]
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def _numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Return cells as finite numbers, None where one is none."""
    try:
        found = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None
