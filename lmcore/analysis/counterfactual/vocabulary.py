"""Words that are one token of a model, and their neighbours among its embeddings."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.data.text import is_chinese
from lmcore.models.load import LoadedModel

if TYPE_CHECKING:
    import torch

_KNOWN: "weakref.WeakKeyDictionary[Any, Vocabulary]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tokens of a model that are a whole word of letters, or a Chinese character, by themselves.

    Attributes:
        ids: their numbers, int64 of shape (words,).
        words: what they are written as, in the same order.
        chinese: which of them are Chinese, bool of shape (words,).
    """

    ids: np.ndarray
    words: tuple[str, ...]
    chinese: np.ndarray

    def place(self, word: str) -> int | None:
        """Return where a word stands, as it is written or in small letters; None where it is not one token."""
        found = self._places.get(word)
        return self._places.get(word.lower()) if found is None else found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: n for n, word in enumerate(self.words)}


def word_vocabulary(loaded: LoadedModel) -> Vocabulary:
    """Return the words that are one token of a model; a word is what the tokenizer turns into exactly that token."""
    known = _KNOWN.get(loaded.model)
    if known is None:
        known = _KNOWN[loaded.model] = _read(loaded.tokenizer, int(loaded.model.get_input_embeddings().weight.shape[0]))
    return known


def word_neighbours(loaded: LoadedModel, words: Sequence[str], most: int) -> dict[str, list[str]]:
    """Return the words whose embeddings point most nearly the same way.

    Args:
        loaded: the model.
        words: those that are no token of their own are passed over.
        most: how many of each, at most.

    Returns:
        For each known word its neighbours in the same script, the nearest first.
    """
    import torch

    vocabulary = word_vocabulary(loaded)
    places = {word: place for word in dict.fromkeys(words) if (place := vocabulary.place(word)) is not None}
    if not places:
        return {}
    own = torch.tensor(list(places.values()), device=loaded.device)
    chinese = torch.from_numpy(vocabulary.chinese).to(loaded.device)
    with torch.inference_mode():
        unit = _unit_embeddings(loaded, vocabulary)
        cosines = unit[own] @ unit.T
        cosines[chinese[own][:, None] != chinese[None, :]] = -2.0
        cosines.scatter_(1, own[:, None], -2.0)
        near = cosines.topk(min(most, len(vocabulary.words)), dim=1)
    found = {}
    for word, values, numbers in zip(places, near.values.tolist(), near.indices.tolist(), strict=True):
        found[word] = [vocabulary.words[n] for value, n in zip(values, numbers, strict=True) if value > -2.0]
    return found


def _unit_embeddings(loaded: LoadedModel, vocabulary: Vocabulary) -> "torch.Tensor":
    import torch

    weight = loaded.model.get_input_embeddings().weight
    rows = weight[torch.from_numpy(vocabulary.ids).to(weight.device)].float()
    unit: torch.Tensor = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit


def _read(tokenizer: Any, size: int) -> Vocabulary:
    special = set(tokenizer.all_special_ids)
    numbers = [n for n in range(min(size, len(tokenizer))) if n not in special]
    # The library itself, without what transformers wraps around each call: a vocabulary is read in a second.
    written = [text.strip() for text in tokenizer.backend_tokenizer.decode_batch([[n] for n in numbers])]
    likely = [(n, word) for n, word in zip(numbers, written, strict=True) if word.isalpha() and _is_word(word)]
    # A tokenizer that marks the space before a word knows it with and without one; either may be the token.
    alone, spaced = (_ids(tokenizer, [before + word for _, word in likely]) for before in ("", " "))
    whole = [(n, word) for (n, word), *both in zip(likely, alone, spaced, strict=True) if [n] in both]
    once = {word: n for n, word in reversed(whole)}
    chinese = np.array([is_chinese(word) for word in once], dtype=bool)
    return Vocabulary(np.array(list(once.values()), dtype=np.int64), tuple(once), chinese)


def _ids(tokenizer: Any, words: Sequence[str]) -> list[list[int]]:
    return [
        list(found.ids) for found in tokenizer.backend_tokenizer.encode_batch(list(words), add_special_tokens=False)
    ]


def _is_word(word: str) -> bool:
    return len(word) > 1 or is_chinese(word)
