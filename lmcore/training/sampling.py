"""The order of training rows: random, in batches of like length or in groups, the same again after a resume."""

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


class GroupedPrompts:
    """Row numbers for one epoch of writing in groups, drawn from (seed, epoch) alone.

    Every row stands as often in a row as texts are written from it, and each step's rows come once for every batch that is
    added up for the step. Rows that do not fill a step are left out; which ones, differs from epoch to epoch.

    Args:
        rows: how many there are.
        at_once: rows of one step.
        group: texts from each row.
        batches: how many are added up for a step.
        seed: of the order.
    """

    def __init__(self, rows: int, at_once: int, group: int, batches: int, *, seed: int) -> None:
        self._rows, self._at_once, self._group, self._batches, self._seed = rows, at_once, group, batches, seed
        self._epoch = 0

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self._rows // self._at_once

    def __len__(self) -> int:
        return self.steps * self._at_once * self._group * self._batches

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next, from 0."""
        self._epoch = int(epoch)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._rows)
        for step in range(self.steps):
            rows = np.repeat(order[step * self._at_once : (step + 1) * self._at_once], self._group).tolist()
            for _ in range(self._batches):
                yield from rows
