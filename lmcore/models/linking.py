"""From a matrix of similarities to links between the words of two sentences."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lmcore.methods import Method, Option, Registry

ALIGNMENT = Registry(
    "alignment method",
    Method(
        name="argmax",
        title="Mutual argmax",
        summary="Links two words where each is the other's most similar: few links and mostly right ones.",
        target="lmcore.models.linking:argmax_links",
    ),
    Method(
        name="itermax",
        title="Itermax",
        summary="Repeats the mutual argmax over the words that have no link yet: more links, a little less sure.",
        target="lmcore.models.linking:itermax_links",
        options=(
            Option("iterations", "int", 2, "How often the mutual argmax is taken.", minimum=1, maximum=10),
            Option(
                "discount", "float", 0.9, "Factor of a similarity where one of the two words has a link.", minimum=0, maximum=1
            ),
        ),
    ),
    Method(
        name="softmax",
        title="Softmax in both directions",
        summary="Links two words where the softmax over each sentence gives both directions enough probability.",
        target="lmcore.models.linking:softmax_links",
        options=(
            Option("threshold", "float", 0.2, "Least probability in each direction.", minimum=0, maximum=1),
            Option("temperature", "float", 0.05, "Divides the similarities: smaller is nearer argmax.", minimum=1e-3,
                   maximum=10),
        ),
    ),
)  # fmt: skip


def find_links(similarity: np.ndarray, method: str, options: Mapping[str, object] | None = None) -> np.ndarray:
    """Link words by their similarities.

    Args:
        similarity: cosines of shape (source words, target words); a word without a vector has not-a-number everywhere and
            gets no link.
        method: a name out of `ALIGNMENT`.
        options: its options.

    Returns:
        Whether two words are linked, bool of the same shape.

    Raises:
        UnknownError: there is no such method.
        OptionError: an option is not valid.
    """
    chosen: dict[str, Any] = ALIGNMENT[method].check(options or {})
    linked = np.zeros(similarity.shape, dtype=bool)
    rows, columns = (np.flatnonzero(~np.isnan(similarity).all(axis=axis)) for axis in (1, 0))
    if len(rows) and len(columns):
        linked[np.ix_(rows, columns)] = ALIGNMENT[method].load()(similarity[np.ix_(rows, columns)], **chosen)
    return linked


def argmax_links(similarity: np.ndarray) -> np.ndarray:
    """Link words that are each other's most similar one (Jalili Sabet et al. 2020)."""
    linked = np.zeros(similarity.shape, dtype=bool)
    forward, backward = similarity.argmax(axis=1), similarity.argmax(axis=0)
    mutual = backward[forward] == np.arange(len(similarity))
    linked[np.flatnonzero(mutual), forward[mutual]] = True
    return linked


def itermax_links(similarity: np.ndarray, *, iterations: int = 2, discount: float = 0.9) -> np.ndarray:
    """Take the mutual argmax again and again (Jalili Sabet et al. 2020).

    From the second time on two words that both have a link are passed over, and a similarity counts less where one of the
    two has one. It ends before where no link is added, no word is left, or a sentence has at most two words.
    """
    linked = argmax_links(similarity)
    if min(similarity.shape) <= 2:
        return linked
    shares = (similarity + 1) / 2
    for _ in range(iterations - 1):
        free_rows = np.asarray(~linked.any(axis=1))
        free_columns = np.asarray(~linked.any(axis=0))
        if not free_rows.any() or not free_columns.any():
            break
        both_free = free_rows[:, None] & free_columns[None, :]
        one_free = free_rows[:, None] | free_columns[None, :]
        weights = np.where(both_free, 1.0, np.where(one_free, discount, 0.0))
        added = argmax_links(shares * weights) & one_free & ~linked
        if not added.any():
            break
        linked |= added
    return linked


def softmax_links(similarity: np.ndarray, *, threshold: float = 0.2, temperature: float = 0.05) -> np.ndarray:
    """Link words whose softmax is above a threshold from either side (Dou & Neubig 2021)."""
    scaled = similarity / temperature
    shares = [np.exp(scaled - scaled.max(axis=axis, keepdims=True)) for axis in (0, 1)]
    linked: np.ndarray = np.logical_and(
        *[share / share.sum(axis=axis, keepdims=True) > threshold for axis, share in enumerate(shares)]
    )
    return linked


def diagonal_links(source: int, target: int) -> np.ndarray:
    """Link words by their place alone, from the longer sentence to the shorter; bool of shape (source, target)."""
    linked = np.zeros((source, target), dtype=bool)
    if source and target:
        steps = np.arange(max(source, target))
        linked[steps * source // len(steps), steps * target // len(steps)] = True
    return linked
