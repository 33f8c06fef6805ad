"""Head pruning by importance (Michel et al. 2019), written against the modules."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lmcore.models.heads import AttentionBlock, attention_blocks
from lmcore.models.structure import HEADS, note
from lmcore.training.compression.made import Compressed, CompressJob, fewest


def prune_heads(job: CompressJob) -> Compressed:
    """Take the least important heads out of every layer, as many of each.

    All layers keep the same number, so that attention maps of all layers still make one array.

    Raises:
        OptionError: the model is not built like BERT, is in eight bits, or no head would go.
        DataError: there is no dev row to judge on.
        Cancelled: the report asked to stop.
    """
    blocks = attention_blocks(job.loaded.model.base_model)
    importance = head_importance(job, blocks)
    removed = [fewest(list(map(float, row)), job.config.share) for row in importance]
    for block, gone in zip(blocks, removed, strict=True):
        block.keep([head for head in range(block.heads) if head not in gone])
    note(job.loaded.model, **{HEADS: blocks[0].heads})
    before, after = importance.shape[1], blocks[0].heads
    return Compressed(
        summary=f"{before - after} of the {before} heads of each of the {len(blocks)} layers were taken out.",
        facts={"removed": removed, "importance": [[float(f"{v:.4g}") for v in row] for row in importance]},
    )


def head_importance(job: CompressJob, blocks: list[AttentionBlock]) -> np.ndarray:
    """Return the mean absolute gradient of the loss with respect to a factor on each head's output.

    Each dev window has factors of its own, so that gradients of different signs do not cancel out.

    Returns:
        float64 of shape (layers, heads), in nats; 0 for a head that changes nothing.
    """
    import torch

    total = np.zeros((len(blocks), max(block.heads for block in blocks)))
    seen = 0
    for batch in job.batches():
        count = len(batch["input_ids"])
        factors = [torch.ones(count, block.heads, requires_grad=True) for block in blocks]
        with torch.enable_grad(), _multiplied(blocks, factors):
            loss = job.loaded.model(**batch).loss
        found = torch.autograd.grad(loss, factors)
        # The loss is a mean over the batch, so that one window's gradient is its share of it.
        total += np.array([g.abs().sum(dim=0).numpy() for g in found]) * count
        seen += count
    return total / seen


@contextmanager
def _multiplied(blocks: list[AttentionBlock], factors: list[Any]) -> Iterator[None]:
    """Let each head's output be multiplied by its factor, shape (batch, heads), before the heads are joined."""

    def hook(size: int, factor: Any) -> Any:
        def multiply(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            return (arguments[0] * factor.repeat_interleave(size, dim=1)[:, None, :], *arguments[1:])

        return multiply

    handles = [
        block.output.dense.register_forward_pre_hook(hook(block.size, factor))
        for block, factor in zip(blocks, factors, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
