"""Weighing the outputs of attention heads, before a layer joins them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from lmcore.models.components import Component, components, replace

if TYPE_CHECKING:
    import torch


def head_parts(model: Any, kind: Literal["encoder", "decoder", "cross"]) -> tuple[Component, ...]:
    """Return the heads of each layer, of a model's self-attention or of its attention to the source.

    Args:
        model: a transformers model.
        kind: of an encoder-decoder any of the three; a model of one stack has but one, whatever it is called.

    Raises:
        OptionError: the model is of a kind whose heads are not known here.
    """
    if kind == "cross":
        return components(model, "cross_heads")
    joined = bool(getattr(model.base_model.config, "is_encoder_decoder", False))
    return components(model, "heads", stack=kind if joined else None)


@contextmanager
def gated_heads(
    model: Any,
    parts: Sequence[Component],
    gates: "Sequence[torch.Tensor]",
    fills: "Sequence[torch.Tensor] | None" = None,
) -> Iterator[None]:
    """Let each head's output be multiplied by its gate, and what the gate leaves out be filled.

    Args:
        model: a twin, or a model that no other thread runs.
        parts: its heads, layer by layer.
        gates: for each layer a tensor of shape (batch, heads): 1 leaves a head as it is, 0 takes it out.
        fills: for each layer what stands in for a head that is out, shape (heads, features); nothing where None.
    """

    def weigh(gate: "torch.Tensor", fill: "torch.Tensor | None") -> Any:
        def function(values: "torch.Tensor") -> "torch.Tensor":
            wide = gate[:, None, :, None]
            return values * wide if fill is None else values * wide + (1 - wide) * fill

        return function

    given = fills if fills is not None else [None] * len(parts)
    with ExitStack() as hooks:
        for part, gate, fill in zip(parts, gates, given, strict=True):
            hooks.enter_context(replace(model, part, weigh(gate, fill)))
        yield


def gate_gradients(value: "torch.Tensor", gates: "Sequence[torch.Tensor]") -> "torch.Tensor":
    """Return the absolute gradient of a value with respect to each gate (Michel et al. 2019), shape (layers, batch, heads).

    The gradient with respect to a gate of 1 is the head's output times the gradient with respect to it, summed. Each text
    has gates of its own, so that gradients of different signs do not cancel out.
    """
    import torch

    return torch.stack([gradient.abs() for gradient in torch.autograd.grad(value, list(gates))])
