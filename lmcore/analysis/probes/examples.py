"""What a probe learns from: examples of a property, each a text or a word of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmcore.errors import DataError
from lmcore.models.encode import Encodings
from lmcore.models.text_tokens import word_spans
from lmcore.tasks.base import Task
from lmcore.tasks.bio import Place, spaced_words

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 200


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of one split.

    Attributes:
        encodings: the texts as the model reads them.
        values: the property's value of each example, as text; shape (examples,).
        types: what a control task gives a label of its own: each example's text, or its word; letter case does not count.
        texts: which of the encodings each example is in, int64 of shape (examples,).
        tokens: the places of each example's tokens in its text; None where an example is a whole text.
    """

    encodings: Encodings
    values: np.ndarray
    types: tuple[str, ...]
    texts: np.ndarray
    tokens: tuple[np.ndarray, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def classes(self, names: Sequence[str]) -> np.ndarray:
        """Return each example's class as an index into the names, -1 for a value that is not among them."""
        index = {name: number for number, name in enumerate(names)}
        return np.array([index.get(value, -1) for value in self.values], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A property, read from every split.

    Attributes:
        classes: the values that train has, in their order.
        parts: split to examples.
        level: whether an example is a text or a word.
    """

    classes: tuple[str, ...]
    parts: Mapping[str, Examples]
    level: Literal["text", "word"]


@dataclass(frozen=True, eq=False)
class Source:
    """What a property is read from.

    Attributes:
        parts: split to rows; train is among them.
        task: says which columns are text.
        tokenizer: the model's.
        max_length: the most tokens that the model reads.
        seed: of whatever is drawn.
        most_words: the most words of a split that are probed.
    """

    parts: "Mapping[str, pd.DataFrame]"
    task: Task
    tokenizer: Any
    max_length: int
    seed: int
    most_words: int

    def texts(self, split: str) -> list[str]:
        """Return what the model reads of each row of a split, as one text."""
        return [str(text) for text in self.task.texts(self.parts[split])]

    def rng(self, split: str) -> np.random.Generator:
        """Return a generator for one split, so that what is drawn for it does not hang on the others."""
        return np.random.default_rng([self.seed, list(self.parts).index(split)])


def words_of(source: Source, split: str) -> list[list[Place]]:
    """Return where the words of each text stand: between spaces where rows carry tags, else as a reader cuts them."""
    cut = spaced_words if "tags" in source.parts[split].columns else word_spans
    return [cut(text) for text in source.texts(split)]


def check_classes(classes: Sequence[str], what: str) -> tuple[str, ...]:
    """Return the classes of a property.

    Raises:
        DataError: there are fewer than two, or more than 200.
    """
    if len(classes) < 2:
        raise DataError(f"{what} of the rows to probe on takes fewer than two values: there is nothing to tell apart.")
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"{what} of the rows to probe on takes {len(classes)} values: a probe tells at most {MOST_CLASSES} apart."
        )
    return tuple(classes)


def column_of(frame: "pd.DataFrame", name: str) -> "pd.Series":
    """Return a column's cells as text.

    Raises:
        DataError: there is none of this name; the message lists those that there are.
    """
    if name not in frame.columns:
        raise DataError(f"The rows have no column {name!r}; they have: {', '.join(map(str, frame.columns))}.")
    return frame[name].fillna("").astype(str)
