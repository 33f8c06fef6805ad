"""BLEU, chrF and ROUGE with intervals: what a text shares with the one that was wanted."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.data.text import is_chinese
from lmcore.tasks.resampling import middle, resampled_sums
from lmcore.tasks.tally import Tally

_PIECE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_ORDERS = 4
_CHARACTERS = 6
_BETA = 2.0


@dataclass(frozen=True, eq=False)
class Overlap:
    """A figure that is made from the sums of counts over sentences.

    Attributes:
        counts: the counts of each sentence, float64 of shape (sentences, counts).
        figure: from sums of shape (…, counts) to figures of shape (…).
    """

    counts: np.ndarray
    figure: Callable[[np.ndarray], np.ndarray]

    @property
    def value(self) -> float:
        """The figure of all sentences."""
        return float(self.figure(self.counts.sum(axis=0)))

    @property
    def each(self) -> np.ndarray:
        """The figure of each sentence by itself, float64 of shape (sentences,)."""
        return self.figure(self.counts)

    def interval(self, *, seed: int) -> tuple[float, float]:
        """Return the ends of the 95 % bootstrap interval over sentences (Koehn 2004)."""
        return middle(self.figure(resampled_sums(self.counts, seed=seed)))


def bleu(written: Sequence[str], wanted: Sequence[str]) -> Overlap:
    """Return BLEU (Papineni et al. 2002), 0 to 100, as sacrebleu counts it; Chinese is cut into characters by its ``zh``.

    The figure equals sacrebleu's corpus score with its defaults (13a or zh, exponential smoothing, letter case kept).
    """
    from sacrebleu.metrics import BLEU

    chinese = sum(map(is_chinese, wanted)) > len(wanted) / 2
    return Overlap(_statistics(BLEU(tokenize="zh" if chinese else "13a", force=True), written, wanted), _bleu)


def chrf(written: Sequence[str], wanted: Sequence[str]) -> Overlap:
    """Return chrF (Popović 2015) of character 1- to 6-grams, 0 to 100; it equals sacrebleu's corpus score."""
    from sacrebleu.metrics import CHRF

    return Overlap(_statistics(CHRF(), written, wanted), _chrf)


def rouge(written: Sequence[str], wanted: Sequence[str]) -> dict[str, Overlap]:
    """Return the F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), 0 to 1, each the mean over texts.

    On English the figures equal rouge-score's without its stemmer. Chinese is compared by character, and letters of
    other languages, which rouge-score drops, count too.
    """
    from rouge_score.rouge_scorer import RougeScorer

    kinds = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}
    scorer = RougeScorer(list(kinds.values()), tokenizer=_Pieces())
    scores = [scorer.score(gold, text) for text, gold in zip(written, wanted, strict=True)]
    return {name: share(np.array([s[kind].fmeasure for s in scores], dtype=np.float64)) for name, kind in kinds.items()}


def share(values: np.ndarray, counted: np.ndarray | None = None) -> Overlap:
    """Return the mean of a figure of each sentence, of shape (sentences,); where ``counted`` is 0, it counts in no way."""
    return Overlap(np.column_stack([values, np.ones(len(values)) if counted is None else counted]), _mean)


def tally_overlaps(overlaps: Mapping[str, Overlap], *, first: str) -> Tally:
    """Return figures of the same sentences as one tally.

    Args:
        overlaps: the figures by name.
        first: the one that slices are judged by.
    """
    names = sorted(overlaps, key=lambda name: name != first)
    ends = np.cumsum([overlaps[name].counts.shape[1] for name in names])

    def read(sums: np.ndarray) -> dict[str, np.ndarray]:
        parts = np.split(sums, ends[:-1], axis=-1)
        return {name: overlaps[name].figure(part) for name, part in zip(names, parts, strict=True)}

    return Tally(np.hstack([overlaps[name].counts for name in names]), read)


class _Pieces:
    """Cuts a text into lower-case words, and Chinese into characters, as rouge-score asks a tokenizer to."""

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces without punctuation."""
        return _PIECE.findall(text.lower())


def _statistics(metric: Any, written: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Return sacrebleu's own counts of each sentence, those that its significance tests resample."""
    counts = metric._extract_corpus_statistics(list(written), [list(wanted)])
    return np.asarray(counts, dtype=np.float64).reshape(len(written), -1)


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1))


def _bleu(sums: np.ndarray) -> np.ndarray:
    """Return BLEU from sums of (written length, wanted length, matches of 4 orders, n-grams of 4 orders)."""
    length, wanted = sums[..., 0], sums[..., 1]
    matches, grams = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    missed = matches == 0
    smoothed = np.where(missed, 1 / 2.0 ** np.cumsum(missed, axis=-1), matches)
    logs = np.log(smoothed / np.maximum(grams, 1)).mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
    whole = (grams > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    return np.where(whole, 100 * brevity * np.exp(logs), 0.0)


def _chrf(sums: np.ndarray) -> np.ndarray:
    """Return chrF from sums of (written, wanted, shared) n-grams of each order."""
    counts = sums.reshape(*sums.shape[:-1], _CHARACTERS, 3)
    written, wanted, shared = counts[..., 0], counts[..., 1], counts[..., 2]
    used = (written > 0) & (wanted > 0)
    orders = np.maximum(used.sum(axis=-1), 1)
    precision = np.where(used, shared / np.maximum(written, 1), 0).sum(axis=-1) / orders
    recall = np.where(used, shared / np.maximum(wanted, 1), 0).sum(axis=-1) / orders
    weight = _BETA**2
    return np.asarray(100 * (1 + weight) * precision * recall / np.maximum(weight * precision + recall, 1e-16))
