"""Magnitude pruning: the weights nearest to zero become zero (Han et al. 2015)."""

from typing import Any

from lmcore.errors import OptionError
from lmcore.training.compression.made import Compressed, CompressJob


def prune_weights(job: CompressJob) -> Compressed:
    """Set the smallest share of the weights of all linear layers below the head to zero.

    Raises:
        OptionError: the model has no linear layer with float weights.
        Cancelled: the report asked to stop.
    """
    from torch import nn

    found = [m.weight for m in job.loaded.model.base_model.modules() if type(m) is nn.Linear]
    weights = list({id(weight): weight for weight in found}.values())
    if not weights:
        raise OptionError("The model has no linear layer with float weights: prune the version it was made from.")
    job.report.check()
    for group in [weights] if job.config.scope == "model" else [[weight] for weight in weights]:
        zero_smallest(group, job.config.share)
    total = sum(weight.numel() for weight in weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return Compressed(
        summary=f"{zeros:,} of the {total:,} weights of the linear layers are zero ({zeros / total:.1%}).",
        facts={"zeros": zeros, "of": total},
    )


def zero_smallest(weights: list[Any], share: float) -> None:
    """Set the share of the weights, taken together, that is nearest to zero to zero, to the weight."""
    import torch

    sizes = [weight.numel() for weight in weights]
    absolute = torch.cat([weight.detach().abs().flatten() for weight in weights])
    count = int(share * len(absolute) + 0.5)
    kept = torch.ones(len(absolute), dtype=torch.bool)
    kept[torch.argsort(absolute, stable=True)[:count]] = False
    with torch.no_grad():
        for weight, part in zip(weights, torch.split(kept, sizes), strict=True):
            weight.mul_(part.view_as(weight))
