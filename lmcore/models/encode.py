"""Texts to token ids, and token ids to padded batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

UNKNOWN_LIMIT = 0.05


@dataclass(frozen=True, eq=False)
class Encodings:
    """Token ids of some texts, in their order.

    Attributes:
        ids: one list of token ids a text, special tokens included.
        truncated: whether a text was longer than the limit and was cut; bool of shape (texts,).
        unknown: how many of a text's tokens are the unknown token; int64 of shape (texts,).
        plain: how many of a text's tokens are not special; int64 of shape (texts,).
    """

    ids: list[list[int]]
    truncated: np.ndarray
    unknown: np.ndarray
    plain: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 of shape (texts,)."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    @property
    def unknown_share(self) -> float:
        """Share of all tokens that are the unknown token, 0 to 1."""
        return float(self.unknown.sum() / max(int(self.plain.sum()), 1))

    @property
    def truncated_share(self) -> float:
        """Share of the texts that were cut, 0 to 1."""
        return float(self.truncated.mean()) if len(self) else 0.0


def encode_texts(tokenizer: Any, texts: Sequence[str], max_length: int) -> Encodings:
    """Encode texts, each cut after ``max_length`` tokens (special tokens included).

    Args:
        tokenizer: a transformers tokenizer of the fast kind.
        texts: any strings; an empty one gives the special tokens alone.
        max_length: the largest number of tokens of a text.

    Returns:
        Their encodings; which texts were cut and how many tokens were unknown is counted, never silent.
    """
    if not texts:
        none = np.zeros(0, dtype=np.int64)
        return Encodings([], none.astype(bool), none, none)
    out = tokenizer(list(texts), truncation=True, max_length=max_length, return_overflowing_tokens=True)
    owner = np.asarray(out["overflow_to_sample_mapping"])
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    ids = [out["input_ids"][i] for i in first]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return Encodings(
        ids=ids,
        truncated=np.bincount(owner, minlength=len(texts)) > 1,
        unknown=np.array([row.count(tokenizer.unk_token_id) for row in ids], dtype=np.int64),
        plain=np.array([sum(t not in special for t in row) for row in ids], dtype=np.int64),
    )


def length_sorted_batches(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yield row numbers in batches of like length, the longest first.

    The longest batch comes first so that a shortage of memory shows at once.
    """
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def pad_batch(tokenizer: Any, ids: Sequence[Sequence[int]], device: str = "cpu") -> "dict[str, torch.Tensor]":
    """Pad token ids on the right to the longest of the batch.

    Returns:
        ``input_ids`` and ``attention_mask``, int64 of shape (batch, tokens).
    """
    import torch

    width = max(len(row) for row in ids)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    padded = np.full((len(ids), width), pad, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for number, row in enumerate(ids):
        padded[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {
        "input_ids": torch.from_numpy(padded).to(device),
        "attention_mask": torch.from_numpy(mask).to(device),
    }
