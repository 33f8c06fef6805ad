from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lmcore.errors import Cancelled
from lmcore.models.heads import attention_blocks
from lmcore.training.compression.heads import head_importance, prune_heads
from lmcore.training.compression.made import CompressJob, fewest
from lmcore.types import Silent


def loss_of(job: CompressJob) -> float:
    (batch,) = job.batches()
    with torch.inference_mode():
        return float(job.loaded.model(**batch).loss)


def logits_of(job: CompressJob) -> torch.Tensor:
    (batch,) = job.batches()
    with torch.inference_mode():
        found: torch.Tensor = job.loaded.model(**batch).logits
        return found


def silence(job: CompressJob, layer: int, head: int) -> None:
    block = attention_blocks(job.loaded.model.base_model)[layer]
    with torch.no_grad():
        block.output.dense.weight[:, head * block.size : (head + 1) * block.size] = 0


def test_importance_is_the_slope_of_one_windows_loss(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(rows=1)
    blocks = attention_blocks(job.loaded.model.base_model)
    found = head_importance(job, blocks)
    step, weight = 1e-2, blocks[1].output.dense.weight
    part = weight[:, 8:16].clone()
    losses = []
    for factor in (1 + step, 1 - step):
        with torch.no_grad():
            weight[:, 8:16] = part * factor
        losses.append(loss_of(job))
    assert found[1, 1] == pytest.approx(abs(losses[0] - losses[1]) / (2 * step), rel=0.02)


def test_gradients_of_different_windows_do_not_cancel(make_job: Callable[..., CompressJob]) -> None:
    whole = make_job(rows=8)
    blocks = attention_blocks(whole.loaded.model.base_model)
    one_by_one = [
        head_importance(CompressJob(whole.config, whole.task, whole.loaded, whole.dev.iloc[[i]], whole.report), blocks)
        for i in range(8)
    ]
    assert np.allclose(head_importance(whole, blocks), np.mean(one_by_one, axis=0), rtol=1e-3)


def test_heads_that_give_nothing_go_first_and_change_no_logit(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(share=0.5)
    for layer, heads in enumerate(((0, 3), (1, 2))):
        for head in heads:
            silence(job, layer, head)
    before, size = logits_of(job), sum(p.numel() for p in job.loaded.model.parameters())
    made = prune_heads(job)
    assert made.facts["removed"] == [[0, 3], [1, 2]]
    assert torch.allclose(logits_of(job), before, atol=1e-6)
    # Of each layer three matrices of 32 inputs and their biases, and the 32 outputs of the fourth, lose 16 features.
    assert size - sum(p.numel() for p in job.loaded.model.parameters()) == 2 * (3 * (32 + 1) * 16 + 32 * 16)
    assert made.summary == "2 of the 4 heads of each of the 2 layers were taken out."


def test_fewer_heads_take_fewer_multiplications(make_job: Callable[..., CompressJob]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    counted = []
    job = make_job(share=0.5)
    for work in (lambda: None, lambda: prune_heads(job)):
        work()
        with FlopCounterMode(display=False) as counter:
            logits_of(job)
        counted.append(counter.get_total_flops())
    assert counted[1] < 0.9 * counted[0]


def test_the_share_is_of_every_layer_and_one_head_always_stays(make_job: Callable[..., CompressJob]) -> None:
    made = prune_heads(make_job(share=0.99))
    assert [len(gone) for gone in made.facts["removed"]] == [3, 3]


def test_pruning_stops_when_asked(make_job: Callable[..., CompressJob]) -> None:
    class Stop(Silent):
        def check(self) -> None:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        prune_heads(make_job(report=Stop()))


@pytest.mark.parametrize(
    ("importance", "share", "gone"),
    [([3, 1, 2, 4], 0.5, [1, 2]), ([1, 1, 1, 1], 0.25, [3]), ([1, 2], 0.99, [0]), ([2, 1], 0.0, []), ([5], 0.9, [])],
)
def test_the_least_important_go(importance: Any, share: float, gone: list[int]) -> None:
    assert fewest(importance, share) == gone
