"""Unigram and bigram language models over a tokenizer's tokens: what a neural one must beat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DISCOUNT = 0.75


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Counts of tokens and of pairs of tokens.

    Attributes:
        counts: how often each token occurs, int64 of shape (vocabulary,).
        pairs: the distinct pairs as ``first * vocabulary + second``, sorted, int64 of shape (pairs,).
        pair_counts: how often each of them occurs, int64 of shape (pairs,).
    """

    counts: np.ndarray
    pairs: np.ndarray
    pair_counts: np.ndarray

    @classmethod
    def count(cls, texts: Sequence[Sequence[int]], vocabulary: int) -> "NgramModel":
        """Count the tokens of texts.

        Args:
            texts: token ids.
            vocabulary: how many tokens there are.
        """
        every = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in texts] or [np.zeros(0, np.int64)])
        pairs = [
            _pairs(np.asarray(ids[:-1], np.int64), np.asarray(ids[1:], np.int64), vocabulary) for ids in texts if ids
        ]
        distinct, times = np.unique(np.concatenate([*pairs, np.zeros(0, np.int64)]), return_counts=True)
        return cls(np.bincount(every, minlength=vocabulary), distinct, times)

    def unigram(self, targets: np.ndarray) -> np.ndarray:
        """Return the add-one probability of each token, float64 of shape (tokens,)."""
        found: np.ndarray = (self.counts[targets] + 1) / (self.counts.sum() + len(self.counts))
        return found

    def unigram_ranks(self, targets: np.ndarray) -> np.ndarray:
        """Return how many tokens are more frequent than each of ``targets``, int64 of shape (tokens,)."""
        ordered = np.sort(self.counts)
        ranks: np.ndarray = len(ordered) - np.searchsorted(ordered, self.counts[targets], side="right")
        return ranks

    def bigram(self, contexts: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the probability of each token after the one before it, float64 of shape (tokens,).

        Interpolated Kneser-Ney (Ney et al. 1994) with a discount of 0.75; a token's share of the rest is the number of
        different tokens that it follows, with add-one smoothing.

        Args:
            contexts: the token before each.
            targets: the tokens.
        """
        size = len(self.counts)
        first, second = self.pairs // size, self.pairs % size
        follows = np.bincount(second, minlength=size)
        own = (follows[targets] + 1) / (len(self.pairs) + size)
        totals = np.bincount(first, weights=self.pair_counts, minlength=size)[contexts]
        kinds = np.bincount(first, minlength=size)[contexts]
        seen = self._times(_pairs(contexts, targets, size))
        known = np.maximum(totals, 1)
        interpolated = np.maximum(seen - DISCOUNT, 0) / known + DISCOUNT * kinds / known * own
        found: np.ndarray = np.where(totals > 0, interpolated, own)
        return found

    def _times(self, pairs: np.ndarray) -> np.ndarray:
        if not len(self.pairs):
            return np.zeros(len(pairs), dtype=np.int64)
        place = np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)
        return np.where(self.pairs[place] == pairs, self.pair_counts[place], 0)


def _pairs(first: np.ndarray, second: np.ndarray, vocabulary: int) -> np.ndarray:
    keys: np.ndarray = first * vocabulary + second
    return keys
