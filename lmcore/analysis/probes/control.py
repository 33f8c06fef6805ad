"""Control tasks (Hewitt & Liang 2019): labels at random that a probe can only learn by heart."""

import hashlib
from collections.abc import Sequence

import numpy as np


def control_classes(types: Sequence[str], shares: np.ndarray, *, seed: int) -> np.ndarray:
    """Give each type of word (or text) a class at random, the same wherever it stands.

    The class hangs on the type and the seed alone, not on which other types there are, so that train and test agree.

    Args:
        types: each example's type.
        shares: how often each class is to come up, 0 to 1, shape (classes,): as often as in the real task.
        seed: of the draw.

    Returns:
        Class indices, int64 of shape (examples,).
    """
    ends = np.cumsum(shares) / np.sum(shares)
    drawn = {kind: int(np.searchsorted(ends, _uniform(kind, seed), side="right")) for kind in set(types)}
    return np.array([min(drawn[kind], len(shares) - 1) for kind in types], dtype=np.int64)


def _uniform(kind: str, seed: int) -> float:
    """Return a number from 0 to below 1 that is as good as drawn, and the same on every machine."""
    digest = hashlib.sha256(f"{seed}\x00{kind}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
