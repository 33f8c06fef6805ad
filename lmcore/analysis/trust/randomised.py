"""The weight-randomisation check (Adebayo et al. 2018): a map of a model should change with the model's weights."""

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lmcore.models.load import LoadedModel

_NUMBER = re.compile(r"\.(\d+)\.")


def randomised(loaded: LoadedModel, *, stages: int = 5, seed: int = 0) -> Iterator[tuple[str, LoadedModel]]:
    """Yield a twin of a model with more and more of its weights drawn anew, from the output down to the embeddings.

    Each tensor is drawn from a normal distribution with the mean and the spread of its own values. The model itself stays
    as it is; the twin takes as much memory again.

    Args:
        loaded: the model.
        stages: how many twins, at most; each goes on from the one before.
        seed: of the draws.

    Returns:
        What was drawn so far, in words, and the twin.
    """
    import torch

    with loaded.lock:
        twin = copy.deepcopy(loaded.model)
    own = replace(loaded, model=twin, fingerprint=f"{loaded.fingerprint}:random:{seed}")
    generator = torch.Generator().manual_seed(seed)
    parts = weight_groups(twin)
    borders = sorted({max(1, round(len(parts) * (n + 1) / stages)) for n in range(stages)} | {1, len(parts)})
    done = 0
    for border in borders:
        for _, tensors in parts[done:border]:
            for tensor in tensors:
                _redraw(tensor, generator)
        done = border
        yield f"from the output to {parts[border - 1][0]}", own


def weight_groups(model: Any) -> list[tuple[str, list[Any]]]:
    """Return a model's weights by what they belong to, the output first: head, layers (a decoder's before), embeddings."""
    inner = {id(parameter) for parameter in model.base_model.parameters()}
    groups: dict[tuple[int, int], list[Any]] = {}
    for name, parameter in model.named_parameters():
        number = _NUMBER.search(name)
        if id(parameter) not in inner:
            key = (0, 0)
        elif number is None:
            key = (3, 0)
        else:
            key = (1 if "decoder" in name else 2, -int(number[1]))
        groups.setdefault(key, []).append(parameter)
    two = {key[0] for key in groups} >= {1, 2}
    return [(_name(*key, two), groups[key]) for key in sorted(groups)]


def _name(kind: int, number: int, two: bool) -> str:
    if kind in (0, 3):
        return "the head" if kind == 0 else "the embeddings"
    where = ("the decoder's " if kind == 1 else "the encoder's ") if two else ""
    return f"{where}layer {1 - number}"


def _redraw(tensor: Any, generator: Any) -> None:
    import torch

    with torch.no_grad():
        values = tensor.float()
        spread = values.std() if values.numel() > 1 else values.abs().mean()
        drawn = torch.randn(tensor.shape, generator=generator).to(values.device)
        tensor.copy_((values.mean() + spread * drawn).to(tensor.dtype))
