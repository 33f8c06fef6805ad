"""What each of several processes computes of a batch, so that together they compute the batch's own loss and gradient."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lmcore.models.encode import IGNORED
from lmcore.models.start import StartModel
from lmcore.training.distributed.workers import Workers

if TYPE_CHECKING:
    import torch

Loss = Callable[[Any, "Mapping[str, torch.Tensor]", Any], "torch.Tensor"]
"""A scalar of a training batch: from model, batch and outputs."""
Count = Callable[["Mapping[str, torch.Tensor]"], float]
"""What the mean loss of a batch divides by: rows, tokens to be learnt, or the sum of weights."""


def part_of(batch: "Mapping[str, torch.Tensor]", workers: Workers) -> "dict[str, torch.Tensor]":
    """Return this process's rows of a batch: every ``size``-th, so that each gets texts of like length.

    Where a batch has fewer rows than there are processes, one without a row gets the first, which then counts nothing.
    """
    rows = len(next(iter(batch.values())))
    first, step = (workers.rank, workers.size) if workers.rank < rows else (0, rows)
    return {name: values[first::step].contiguous() for name, values in batch.items()}


def part_loss(
    workers: Workers, loss: Loss, count: Count, model: Any, batch: "Mapping[str, torch.Tensor]"
) -> "tuple[torch.Tensor, Any]":
    """Return a loss whose mean over the processes is the loss of the whole batch, and the outputs for this part.

    A part's mean loss counts by what it is a mean of: the mean of parts with different numbers of tokens would be another
    figure than the mean over all tokens.

    Args:
        workers: the processes.
        loss: the mean loss of some rows.
        count: what it divides by.
        model: as it is wrapped for several processes.
        batch: the rows that all processes have before them.
    """
    if workers.size == 1:
        outputs = model(**batch)
        return loss(model, batch, outputs), outputs
    part, rows = part_of(batch, workers), len(next(iter(batch.values())))
    outputs = model(**part)
    share = count(part) / count(batch) if workers.rank < rows and count(batch) else 0.0
    if not share:  # the mean of no token is not a number
        return _nothing(outputs), outputs
    return workers.size * share * loss(getattr(model, "module", model), part, outputs), outputs


def count_learnt(start: StartModel) -> Count:
    """Return how a model's own loss counts: tokens whose label is not ignored, and rows where a row has one label.

    A model that writes does not learn the first token of a row. Of a loss that adds up two means, tokens decide.
    """
    model = start.model
    shifted = (
        model.get_output_embeddings() is not None
        and not model.config.is_encoder_decoder
        and start.tokenizer.mask_token_id is None
    )

    def count(batch: "Mapping[str, torch.Tensor]") -> float:
        labels = batch.get("labels")
        if labels is None or labels.dim() < 2 or labels.is_floating_point():
            return len(next(iter(batch.values())))
        return float((labels[:, int(shifted) :] != IGNORED).sum())

    return count


def _nothing(outputs: Any) -> "torch.Tensor":
    """Return a zero that hangs on every output, so that this process takes part in adding up the gradients."""
    import torch

    tensors = [value for name, value in outputs.items() if name != "loss" and isinstance(value, torch.Tensor)]
    return torch.stack([value.float().sum() for value in tensors]).sum() * 0.0
