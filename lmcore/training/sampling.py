"""The order of training rows: random, in batches of like length, the same again after a resume."""

from collections.abc import Iterator

import numpy as np

POOL_BATCHES = 50


class LengthGroupedSampler:
    """Row numbers for one epoch, drawn from (seed, epoch) alone.

    Rows are shuffled, sorted by length within pools of 50 batches, and the batches shuffled again: little padding,
    and an order that an interrupted run finds again by its epoch number.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, *, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose order was chosen, from 0."""
        return self._epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next, from 0."""
        self._epoch = int(epoch)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(len(self._lengths))
        pool = self._batch_size * POOL_BATCHES
        batches = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(-self._lengths[rows], kind="stable")]
            batches += [rows[i : i + self._batch_size] for i in range(0, len(rows), self._batch_size)]
        whole = [batch for batch in batches if len(batch) == self._batch_size]
        rest = [batch for batch in batches if len(batch) < self._batch_size]
        for number in rng.permutation(len(whole)):
            yield from whole[number].tolist()
        for batch in rest:
            yield from batch.tolist()
