"""The attention heads of an encoder built like BERT, and taking some of them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lmcore.errors import OptionError


@dataclass(frozen=True, eq=False)
class AttentionBlock:
    """The self-attention of one layer.

    Attributes:
        inner: the module with ``query``, ``key`` and ``value``.
        output: the linear layer that the heads' outputs, one beside the other, go through.
        size: features of a head.
    """

    inner: Any
    output: Any
    size: int

    @property
    def heads(self) -> int:
        """Number of heads that it has now."""
        return int(self.inner.query.out_features) // self.size

    def keep(self, kept: Sequence[int]) -> None:
        """Take out all heads but these, counted from 0: the four matrices become smaller."""
        columns = torch.tensor([head * self.size + i for head in sorted(kept) for i in range(self.size)])
        for name in ("query", "key", "value"):
            setattr(self.inner, name, _rows(getattr(self.inner, name), columns))
        self.output.dense = _columns(self.output.dense, columns)
        self._count(len(kept))

    def shrink(self, heads: int) -> None:
        """Make room for this many heads; the values of the four matrices are to be loaded."""
        old, width = self.inner.query, heads * self.size
        for name in ("query", "key", "value"):
            setattr(self.inner, name, nn.Linear(old.in_features, width, bias=old.bias is not None))
        out = self.output.dense
        self.output.dense = nn.Linear(width, out.out_features, bias=out.bias is not None)
        self._count(heads)

    def _count(self, heads: int) -> None:
        self.inner.num_attention_heads = heads
        self.inner.all_head_size = heads * self.size


def attention_blocks(base: Any) -> list[AttentionBlock]:
    """Return the self-attention of each layer, from the input on.

    Raises:
        OptionError: the model is not built like BERT, or its weights are in eight bits.
    """
    kind = str(getattr(base.config, "model_type", type(base).__name__))
    layers = getattr(getattr(base, "encoder", None), "layer", None)
    found = [_block(layer) for layer in layers] if isinstance(layers, nn.ModuleList) else []
    blocks = [block for block in found if block is not None]
    if not blocks or len(blocks) != len(found):
        raise OptionError(
            f"Heads cannot be taken out of a {kind} model: choose an encoder built like BERT or RoBERTa, or another method."
        )
    if any(type(block.inner.query) is not nn.Linear for block in blocks):
        raise OptionError("The heads of a model in eight bits cannot be taken out: prune the version it was made from.")
    return blocks


def _block(layer: Any) -> AttentionBlock | None:
    attention: Any = getattr(layer, "attention", None)
    inner: Any = getattr(attention, "self", None)
    output: Any = getattr(attention, "output", None)
    has_all = all(hasattr(inner, name) for name in ("query", "key", "value", "attention_head_size"))
    if not has_all or not hasattr(output, "dense") or hasattr(layer, "crossattention"):
        return None
    return AttentionBlock(inner, output, int(inner.attention_head_size))


def _rows(linear: nn.Linear, kept: torch.Tensor) -> nn.Linear:
    made = nn.Linear(linear.in_features, len(kept), bias=linear.bias is not None)
    made.weight = nn.Parameter(linear.weight.detach()[kept].clone(), requires_grad=False)
    if linear.bias is not None:
        made.bias = nn.Parameter(linear.bias.detach()[kept].clone(), requires_grad=False)
    return made


def _columns(linear: nn.Linear, kept: torch.Tensor) -> nn.Linear:
    made = nn.Linear(len(kept), linear.out_features, bias=linear.bias is not None)
    made.weight = nn.Parameter(linear.weight.detach()[:, kept].clone(), requires_grad=False)
    if linear.bias is not None:
        made.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
    return made
