"""The tokens of one text as people read them: with their place in the text and the words they make up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.text import words
from lmcore.errors import InputError


@dataclass(frozen=True, eq=False)
class TextTokens:
    """One text as a model reads it.

    Attributes:
        text: the text.
        ids: token ids, special tokens included, shape (tokens,).
        tokens: what each token shows: the stretch of the text it stands for, or a special token's name.
        offsets: first character and the one after the last, shape (tokens, 2); equal for special tokens.
        special: whether a token is a special one, shape (tokens,).
        unknown: whether a token stands for something that the vocabulary lacks, shape (tokens,).
        truncated: whether the text was cut at the model's limit.
    """

    text: str
    ids: np.ndarray
    tokens: tuple[str, ...]
    offsets: np.ndarray
    special: np.ndarray
    unknown: np.ndarray
    truncated: bool

    @property
    def cut_note(self) -> str:
        """A sentence that says which part of the text was read; empty where all of it was."""
        own = self.offsets[~self.special]
        if not self.truncated or not len(own):
            return ""
        begun, ended = not self.text[: own[:, 0].min()].strip(), not self.text[own[:, 1].max() :].strip()
        part = "a part of it" if begun == ended else "its beginning" if begun else "its end"
        return f"The text is longer than the model's limit: only {part} was read."

    @property
    def begins(self) -> np.ndarray:
        """The first character of each token that is no white space, shape (tokens,).

        Some tokenizers count the space before a word to its first token, others to none.
        """
        found = self.offsets[:, 0].copy()
        for place, (start, end) in enumerate(self.offsets.tolist()):
            shown = self.text[start:end].lstrip()
            if shown:
                found[place] = end - len(shown)
        return found

    def sum_by_word(self, scores: np.ndarray) -> pd.DataFrame:
        """Add up scores over the tokens of each word; Chinese words are whole, punctuation stands by itself.

        Returns:
            ``word``, ``start``, ``end`` (characters) and ``score``; special tokens are left out.
        """
        spans = word_spans(self.text)
        owner = np.full(len(self.text) + 1, -1)
        for number, (start, end) in enumerate(spans):
            owner[start:end] = number
        rows: dict[tuple[int, int], float] = {}
        places = zip(self.offsets.tolist(), self.begins.tolist(), strict=True)
        for ((start, end), begin), special, score in zip(places, self.special, scores, strict=True):
            if special or start == end:
                continue
            place = spans[owner[begin]] if owner[begin] >= 0 else (start, end)
            rows[place] = rows.get(place, 0.0) + float(score)
        table = [(self.text[start:end], start, end, score) for (start, end), score in rows.items()]
        return pd.DataFrame(table, columns=["word", "start", "end", "score"])


def read_tokens(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[TextTokens]:
    """Encode texts one by one with the place of every token.

    Raises:
        InputError: a text is empty, or has only characters that the tokenizer drops.
    """
    found = []
    for text in texts:
        if not text.strip():
            raise InputError("The text is empty: give one to analyse.")
        out = tokenizer(
            text, truncation=True, max_length=max_length, return_offsets_mapping=True, return_special_tokens_mask=True,
            return_overflowing_tokens=True,
        )  # fmt: skip
        ids = np.asarray(out["input_ids"][0], dtype=np.int64)
        offsets = np.asarray(out["offset_mapping"][0], dtype=np.int64).reshape(-1, 2)
        special = np.asarray(out["special_tokens_mask"][0], dtype=bool)
        unknown = ids == (-1 if tokenizer.unk_token_id is None else tokenizer.unk_token_id)
        special &= ~unknown
        if special.all():
            raise InputError("The text has no character that the model's tokenizer reads: give one with words.")
        names = tokenizer.convert_ids_to_tokens(ids.tolist())
        shown = [
            name if mark or start == end else text[start:end]
            for name, mark, (start, end) in zip(names, special, offsets.tolist(), strict=True)
        ]
        found.append(TextTokens(text, ids, tuple(shown), offsets, special, unknown, len(out["input_ids"]) > 1))
    return found


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return first character and the one after the last of each word, in order."""
    spans, place = [], 0
    for word in words(text):
        start = text.find(word, place)
        if start >= 0:
            place = start + len(word)
            spans.append((start, place))
    return spans
