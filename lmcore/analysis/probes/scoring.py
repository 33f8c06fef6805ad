"""How well a probe does, with intervals that take the words of one text as one draw."""

from dataclasses import dataclass

import numpy as np

from lmcore.analysis.probes.coding import OnlineCode
from lmcore.tasks.resampling import middle, resampled_sums


@dataclass(frozen=True, slots=True)
class Share:
    """A figure with the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def accuracy(right: np.ndarray, texts: np.ndarray, *, seed: int) -> Share:
    """Return the share of the examples that are right.

    Args:
        right: bool of shape (examples,).
        texts: which text each example is of; texts are resampled as a whole.
        seed: of the bootstrap.
    """
    sums = resampled_sums(_by_text(texts, right), seed=seed)
    return Share(float(right.mean()), *middle(sums[:, 0] / sums[:, 1]))


def selectivity(right: np.ndarray, control: np.ndarray, texts: np.ndarray, *, seed: int) -> Share:
    """Return the accuracy on the property less that on its control task, over the same resampled texts."""
    sums = resampled_sums(_by_text(texts, right.astype(float) - control), seed=seed)
    return Share(float(right.mean() - control.mean()), *middle(sums[:, 0] / sums[:, 1]))


def compression(code: OnlineCode, texts: np.ndarray, *, seed: int) -> Share:
    """Return how many times shorter a code is than the uniform one."""
    sums = resampled_sums(_by_text(texts, code.bits), seed=seed)
    each = code.uniform / len(code.bits)
    return Share(code.compression, *middle(each * sums[:, 1] / sums[:, 0]))


def _by_text(texts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return each text's sum and number of examples, float64 of shape (texts, 2)."""
    _, numbers = np.unique(texts, return_inverse=True)
    return np.column_stack([np.bincount(numbers, values.astype(float)), np.bincount(numbers)]).astype(float)
