"""Linear layers whose weights are kept in eight bits."""

from typing import Any

import torch
from torch import nn

LARGEST = 127
_SMALLEST = 1e-12


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, a scale for each output, and inputs that are rounded token by token.

    It is written against the matrix product alone, since torch's own quantised tensors are deprecated (2.13) and cannot
    be kept as safetensors. An input's scale is its own token's, so that a text's outputs do not depend on its
    neighbours in a batch. Where a gradient is asked for, and on other devices than the CPU, the weights are multiplied
    as floats.

    Attributes:
        weight: int8 of shape (outputs, inputs), -127 to 127.
        scale: float32 of shape (outputs,), what a weight's unit stands for.
        bias: float32 of shape (outputs,), or None.
    """

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        self.register_buffer("weight", torch.zeros(outputs, inputs, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(outputs))
        self.register_buffer("bias", torch.zeros(outputs) if bias else None)

    @classmethod
    def of(cls, linear: nn.Linear) -> "Int8Linear":
        """Return a linear layer with its weights rounded to the nearest of 255 steps, the same for each output."""
        made = cls(linear.in_features, linear.out_features, bias=linear.bias is not None)
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(dim=1).clamp(min=_SMALLEST) / LARGEST
        made.weight = (weight / scale[:, None]).round().to(torch.int8)
        made.scale = scale
        if linear.bias is not None:
            made.bias = linear.bias.detach().float().clone()
        return made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs, float of shape (…, outputs), for inputs of shape (…, inputs)."""
        if x.device.type != "cpu" or (torch.is_grad_enabled() and x.requires_grad):
            return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale[:, None].to(x.dtype), self.bias)
        flat = x.reshape(-1, self.in_features).float()
        scale = flat.abs().amax(dim=1, keepdim=True).clamp(min=_SMALLEST) / LARGEST
        product = torch._int_mm((flat / scale).round().to(torch.int8), self.weight.t()).float()
        out = product * scale * self.scale
        if self.bias is not None:
            out = out + self.bias
        return out.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Return its size for printing."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def quantise_linears(model: Any, *, empty: bool = False) -> int:
    """Put an `Int8Linear` in the place of every linear layer of a model; returns how many there were.

    Args:
        model: a module.
        empty: whether the new layers' values are to be loaded, and the old ones' need not be rounded.
    """
    found = [(name, module) for name, module in model.named_modules() if type(module) is nn.Linear]
    for name, linear in found:
        parent = model.get_submodule(name.rpartition(".")[0])
        size = (linear.in_features, linear.out_features)
        new = Int8Linear(*size, bias=linear.bias is not None) if empty else Int8Linear.of(linear)
        setattr(parent, name.rpartition(".")[2], new)
    return len(found)
