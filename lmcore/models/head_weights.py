"""The weights of each attention head, whichever way an architecture keeps them."""

from typing import Any, NamedTuple

import torch
from torch import nn

from lmcore.errors import OptionError

_LINEAR = (
    ("attention.self", ("query", "key", "value"), "attention.output.dense"),
    ("self_attn", ("q_proj", "k_proj", "v_proj"), "self_attn.o_proj"),
    ("self_attn", ("q_proj", "k_proj", "v_proj"), "self_attn.out_proj"),
    ("attention", ("q_lin", "k_lin", "v_lin"), "attention.out_lin"),
)
_JOINED = ("attn.c_attn", "attn.c_proj")


class Projections(NamedTuple):
    """The four matrices of one layer's self-attention, each of shape (heads' features, features)."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    output: torch.Tensor
    size: int


def head_weights(layer: Any, config: Any) -> list[list[torch.Tensor]]:
    """Return for each head of a layer its rows of the query, key and value and its columns of the output matrix.

    Heads that share keys and values (Ainslie et al. 2023) each count them as their own.

    Args:
        layer: one of a model's layers.
        config: the model's configuration.

    Returns:
        For each head four tensors of shape (head's features, features).

    Raises:
        OptionError: the layer keeps its attention in a way that is not known here, or in eight bits.
    """
    found = _projections(layer, config)
    heads, shared = (len(matrix) // found.size for matrix in (found.query, found.key))
    weights = []
    for head in range(heads):
        own = slice(head * found.size, (head + 1) * found.size)
        group = head * shared // heads
        joint = slice(group * found.size, (group + 1) * found.size)
        weights.append([found.query[own], found.key[joint], found.value[joint], found.output[own]])
    return weights


def _projections(layer: Any, config: Any) -> Projections:
    for path, names, out in _LINEAR:
        block = _at(layer, path)
        linears = [_at(block, name) for name in names] + [_at(layer, out)]
        if all(type(linear) is nn.Linear for linear in linears):
            query, key, value, output = (linear.weight.detach() for linear in linears)
            return Projections(query, key, value, output.T, _size(block, len(query), config))
    joined, out = (_at(layer, name) for name in _JOINED)
    if joined is not None and getattr(joined, "weight", None) is not None and joined.weight.dim() == 2:
        # GPT-2 keeps (in, out) and the three side by side.
        query, key, value = joined.weight.detach().T.chunk(3)
        return Projections(query, key, value, out.weight.detach(), len(query) // int(config.num_attention_heads))
    kind = str(getattr(config, "model_type", type(layer).__name__))
    raise OptionError(
        f"The heads of this {kind} model cannot be told apart: choose a BERT, RoBERTa, DistilBERT, GPT-2, Llama, Marian or "
        "BART that is not in eight bits, or look at whole layers."
    )


def _size(block: Any, rows: int, config: Any) -> int:
    for name in ("attention_head_size", "head_dim"):
        if isinstance(getattr(block, name, None), int):
            return int(getattr(block, name))
    return rows // int(config.num_attention_heads)


def _at(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module
