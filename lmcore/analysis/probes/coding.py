"""How many bits it takes to tell somebody who has the vectors what their labels are (Voita & Titov 2020)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lmcore.analysis.probes.classifiers import Fit, fit_probe

PORTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class OnlineCode:
    """The code of all labels.

    Attributes:
        bits: what each label costs, float64 of shape (examples,), in the order in which they were given.
        ends: how many labels are sent by the end of each portion.
        portions: bits of each portion; the first is sent as it is.
        uniform: bits of all labels where each class is as likely as any other.
    """

    bits: np.ndarray
    ends: tuple[int, ...]
    portions: tuple[float, ...]
    uniform: float

    @property
    def length(self) -> float:
        """Bits of all labels together."""
        return float(self.bits.sum())

    @property
    def compression(self) -> float:
        """How many times shorter the code is than the uniform one: 1 where the vectors say nothing."""
        return self.uniform / self.length


def online_code(
    fit: Fit,
    x: np.ndarray,
    y: np.ndarray,
    classes: int,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    portions: Sequence[float] = PORTIONS,
) -> OnlineCode:
    """Send the labels portion by portion, each coded by a probe that has learnt all portions before it.

    The first portion takes the uniform code. Where the labels sent so far lack some classes, the probe gives these
    together the share u / (t + u), t labels having been sent and u classes not; without them, it is the probe's own.

    Args:
        fit: the kind of probe.
        x: vectors, shape (examples, features).
        y: classes, shape (examples,).
        classes: how many there are, 2 or more.
        seed: of the order and of the fits.
        groups: which examples stay side by side in the order, such as words of one text; None where none do.
        portions: the share of all labels that is sent by the end of each, rising to 1.

    Raises:
        InputError: a vector is not finite.
    """
    order = _order(len(y), groups, seed)
    ends = sorted({math.ceil(share * len(y)) for share in portions})
    bits = np.empty(len(y))
    bits[order[: ends[0]]] = math.log2(classes)
    for sent, end in pairwise(ends):
        known, new = order[:sent], order[sent:end]
        probe = fit_probe(fit, x[known], y[known], classes, seed=seed)
        logs = probe.probabilities(x[new])[np.arange(len(new)), y[new]]
        lacking = classes - len(probe.present)
        seen = np.isin(y[new], probe.present)
        logs[seen] += math.log(sent / (sent + lacking))
        logs[~seen] = -math.log(sent + lacking)
        bits[new] = -logs / math.log(2)
    sums = [float(bits[order[low:high]].sum()) for low, high in zip([0, *ends], ends, strict=False)]
    return OnlineCode(bits, tuple(ends), tuple(sums), len(y) * math.log2(classes))


def _order(examples: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if groups is None:
        return rng.permutation(examples)
    names, numbers = np.unique(groups, return_inverse=True)
    return np.argsort(rng.permutation(len(names))[numbers], kind="stable")
