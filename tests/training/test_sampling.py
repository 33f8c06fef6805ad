import numpy as np
import pytest

from lmcore.training.sampling import POOL_BATCHES, GroupedPrompts, LengthGroupedSampler

LENGTHS = np.random.default_rng(0).integers(3, 200, 1003)


def order(seed=0, epoch=0, size=8, lengths=LENGTHS):
    sampler = LengthGroupedSampler(lengths, size, seed=seed)
    sampler.set_epoch(epoch)
    assert len(sampler) == len(lengths)
    return list(sampler)


def padded_share(rows, size=8):
    batches = [LENGTHS[rows[i : i + size]] for i in range(0, len(rows), size)]
    return 1 - LENGTHS.sum() / sum(len(b) * b.max() for b in batches)


@pytest.mark.parametrize(("rows", "size"), [(1003, 8), (1, 8), (8, 8), (7, 8), (8 * POOL_BATCHES + 1, 8), (20, 1)])
def test_every_row_comes_once(rows, size):
    assert sorted(order(size=size, lengths=LENGTHS[:rows])) == list(range(rows))


def test_the_order_follows_from_seed_and_epoch_alone():
    assert order(1, 4) == order(1, 4)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    sampler = LengthGroupedSampler(LENGTHS, 8, seed=0)
    assert list(sampler) == list(sampler) == order(0, 0)


def test_batches_hold_rows_of_like_length_in_a_random_order():
    shuffled = np.random.default_rng(0).permutation(len(LENGTHS)).tolist()
    assert padded_share(order()) < padded_share(shuffled) / 4
    longest = [LENGTHS[order()[i : i + 8]].max() for i in range(0, 1000, 8)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_the_short_batch_comes_last():
    rows = order()
    assert np.ptp(LENGTHS[rows[:8]]) < 20
    assert len(rows) % 8 == 3


def test_groups_stand_together_and_come_again_for_each_batch():
    sampler = GroupedPrompts(10, 2, 3, 2, seed=1)
    order = list(sampler)
    assert len(order) == len(sampler) == 5 * 2 * 3 * 2
    assert sampler.steps == 5
    for step in range(5):
        part = order[step * 12 : step * 12 + 12]
        assert part[:6] == part[6:]
        assert part[0:3] == [part[0]] * 3
        assert part[3:6] == [part[3]] * 3
    assert sorted(set(order)) == list(range(10))


def test_prompts_that_fill_no_step_are_others_in_another_epoch_and_the_same_again_later():
    sampler = GroupedPrompts(7, 4, 2, 1, seed=0)
    orders = []
    for epoch in (0, 1, 2, 1):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert sampler.steps == 1
    assert orders[1] == orders[3]
    assert len({tuple(order) for order in orders}) == 3
    assert list(GroupedPrompts(3, 4, 2, 1, seed=0)) == []
