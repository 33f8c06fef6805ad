"""Elastic weight consolidation (Kirkpatrick et al. 2017): weights that the earlier data hang on are held where they are.

How much they hang on a weight, the diagonal of the empirical Fisher information says: the mean square of the gradient of a
row's loss.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lmcore.training.trainer import Penalty

if TYPE_CHECKING:
    import torch

HOLD = 30.0


def diagonal_fisher(model: Any, rows: "Iterable[Mapping[str, torch.Tensor]]") -> "dict[str, torch.Tensor]":
    """Return the mean square of the gradient of the rows' losses by each weight of a model, by the weight's name.

    Args:
        model: in evaluation mode, without dropout.
        rows: batches of a single row each, with what is to be learnt.

    Returns:
        Tensors of the weights' shapes, 0 or more; weights that no row moves have 0.
    """
    import torch

    sums = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    count = 0
    for batch in rows:
        model.zero_grad(set_to_none=True)
        model(**batch).loss.backward()
        for name, weight in model.named_parameters():
            if weight.grad is not None:
                sums[name] += weight.grad.detach() ** 2
        count += 1
    model.zero_grad(set_to_none=True)
    return {name: value / max(count, 1) for name, value in sums.items()}


def usual_strength(
    fisher: "Mapping[str, torch.Tensor]", *, learning_rate: float, steps: int, hold: float = HOLD
) -> float:
    """Return the λ of `consolidation` that suits a run.

    The importance is the mean square of a gradient, so that its root is the size that gradients of a weight have. AdamW
    moves a weight by up to the learning rate in a step. A weight of mean importance that has gone as far as all steps can
    carry it is pulled back by ``hold`` times such a gradient. One λ for all runs would hold nothing at a small learning
    rate, or where a model is so sure of the earlier data that their gradients are all but gone.

    Args:
        fisher: the importance of the weights; those of no importance are left out of the mean.
        learning_rate: the largest of the run.
        steps: how many the run has.
        hold: see above.
    """
    some = [value[value > 0].double() for value in fisher.values()]
    count = sum(len(value) for value in some)
    if not count:
        return 0.0
    mean = sum(float(value.sum()) for value in some) / count
    return float(hold / (mean**0.5 * learning_rate * max(steps, 1)))


def consolidation(
    weights: "Mapping[str, torch.Tensor]", fisher: "Mapping[str, torch.Tensor]", *, strength: float
) -> Penalty:
    """Return how far a model's weights are from earlier ones, each by how much the earlier data hang on it.

    It is strength / 2 · Σ F · (weight − earlier weight)², in nats: 0 at the earlier weights, and its gradient pulls back
    towards them.

    Args:
        weights: the earlier weights by name.
        fisher: their importance F, of the same shapes.
        strength: λ.
    """
    import torch

    held = {name: (weights[name].detach().clone(), fisher[name].detach()) for name in fisher}

    def penalty(model: Any, batch: "Mapping[str, torch.Tensor]", outputs: Any) -> "torch.Tensor":
        found = []
        for name, weight in model.named_parameters():
            if name not in held:
                continue
            if held[name][0].device != weight.device:
                held[name] = (held[name][0].to(weight.device), held[name][1].to(weight.device))
            earlier, importance = held[name]
            found.append((importance * (weight - earlier) ** 2).sum())
        return strength / 2 * torch.stack(found).sum()

    return penalty
