"""Concepts as sets of texts: those with one of some words, or the rows of a slice, each beside the texts without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lmcore.data.text import words
from lmcore.errors import DataError, InputError
from lmcore.types import Input

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.tasks.base import Task

FEWEST = 8


@dataclass(frozen=True, eq=False)
class Concept:
    """A concept.

    Attributes:
        name: what it is called.
        texts: texts that have it.
        others: texts of the same kind that do not: what it is held against, and what random sets are drawn from too.

    Raises:
        DataError: there are fewer than 8 texts with it, or without.
    """

    name: str
    texts: tuple[str, ...]
    others: tuple[str, ...]

    def __post_init__(self) -> None:
        for what, found in (("with", self.texts), ("without", self.others)):
            if len(found) < FEWEST:
                raise DataError(
                    f"There are {len(found)} texts {what} the concept {self.name!r}: it takes at least {FEWEST}; choose "
                    "other words or another slice, or more rows."
                )

    def sample(self, most: int, *, seed: int) -> "Concept":
        """Return the concept with at most this many texts with it, and without, drawn at random."""
        rng = np.random.default_rng(seed)
        return replace(self, texts=_draw(self.texts, most, rng), others=_draw(self.others, most, rng))


def concept_from_words(name: str, listed: Sequence[str], texts: Sequence[str]) -> Concept:
    """Make a concept of the texts that have one of some words.

    Letter case does not count; Chinese words are found whole, as a dictionary cuts them, and what is listed may be several
    words.

    Args:
        name: what the concept is called.
        listed: the words.
        texts: where they are looked for; those without any of them are the others.

    Raises:
        InputError: no word is listed.
        DataError: fewer than 8 texts have one of them, or lack them all.
    """
    wanted = [tuple(words(entry.casefold())) for entry in listed if words(entry)]
    if not wanted:
        raise InputError("No word is listed: give at least one for a concept.")
    has = [any(_holds(cut, entry) for entry in wanted) for cut in (words(text.casefold()) for text in texts)]
    return _split(name, texts, has)


def concept_from_slice(
    name: str, frame: "pd.DataFrame", task: "Task", *, column: str, values: Sequence[str]
) -> Concept:
    """Make a concept of the rows that have one of some values in a column; the other rows are its others.

    Args:
        name: what the concept is called.
        frame: the rows.
        task: says which columns are text.
        column: which column.
        values: the values.

    Raises:
        DataError: there is no such column, or fewer than 8 rows have one of the values, or none of them.
    """
    if column not in frame.columns:
        raise DataError(f"The rows have no column {column!r}; they have: {', '.join(map(str, frame.columns))}.")
    return _split(name, task.texts(frame).tolist(), frame[column].astype(str).isin(list(values)).tolist())


def random_concept(texts: Sequence[str], size: int, *, seed: int, name: str = "at random") -> Concept:
    """Make a concept of texts drawn at random, to see what chance looks like.

    Raises:
        DataError: fewer than 8 texts are drawn, or left.
    """
    drawn = set(np.random.default_rng(seed).choice(len(texts), min(size, len(texts)), replace=False).tolist())
    return _split(name, texts, [place in drawn for place in range(len(texts))])


def named_words(line: str) -> tuple[str, list[str]]:
    """Read ``name: word, word`` as a concept's name and its words; without a colon the words are the name."""
    name, colon, listed = line.partition(":")
    return name.strip(), (listed if colon else line).split(",")


def explained_rows(frame: "pd.DataFrame", task: "Task", label: str, most: int) -> list[Input]:
    """Return the first rows of a class as the model reads them; of all rows where none has the class.

    Args:
        frame: the rows.
        task: says which columns are read.
        label: the class.
        most: how many rows at most.
    """
    of_class = frame[frame["label"] == label] if "label" in frame.columns else frame
    kept = (frame if of_class.empty else of_class).head(most)
    names = task.inputs(frame)
    return [{name: str(row[name]) for name in names} for row in kept.to_dict("records")]


def _split(name: str, texts: Sequence[str], has: Sequence[bool]) -> Concept:
    sides: tuple[list[str], list[str]] = ([], [])
    for text, held in zip(texts, has, strict=True):
        sides[0 if held else 1].append(text)
    return Concept(name, tuple(sides[0]), tuple(sides[1]))


def _holds(cut: Sequence[str], entry: tuple[str, ...]) -> bool:
    size = len(entry)
    return any(tuple(cut[place : place + size]) == entry for place in range(len(cut) - size + 1))


def _draw(texts: tuple[str, ...], most: int, rng: np.random.Generator) -> tuple[str, ...]:
    if len(texts) <= most:
        return texts
    return tuple(texts[place] for place in sorted(rng.choice(len(texts), most, replace=False)))
