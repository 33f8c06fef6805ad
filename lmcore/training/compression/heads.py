"""Head pruning by importance (Michel et al. 2019), written against the modules."""

import numpy as np

from lmcore.models.head_gates import gate_gradients, gated_heads, head_parts
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

    parts = head_parts(job.loaded.model, "encoder")
    total = np.zeros((len(blocks), max(block.heads for block in blocks)))
    seen = 0
    for batch in job.batches():
        count = len(batch["input_ids"])
        gates = [torch.ones(count, block.heads, requires_grad=True) for block in blocks]
        with torch.enable_grad(), gated_heads(job.loaded.model, parts, gates):
            loss = job.loaded.model(**batch).loss
        # The loss is a mean over the batch, so that one window's gradient is its share of it.
        total += gate_gradients(loss, gates).sum(dim=1).numpy() * count
        seen += count
    return total / seen
