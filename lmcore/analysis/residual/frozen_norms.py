"""Norms with their scale frozen at a run's value: linear, so that what goes in can be told apart in what comes out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def pull_back(norm: Any, x: "torch.Tensor", direction: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
    """Take a direction from behind a norm to before it.

    With its scale (the standard deviation, of an RMS norm the root mean square) held at that of ``x``, a norm is an
    affine map, and ``norm(x) · direction = x · found + rest``.

    Args:
        norm: a layer norm, or an RMS norm.
        x: what it was given, shape (tokens, features).
        direction: shape (tokens, features).

    Returns:
        The direction before the norm, shape (tokens, features), and the rest, which the norm's bias adds, shape (tokens,).
    """
    import torch

    own = direction * norm.weight
    if isinstance(norm, torch.nn.LayerNorm):
        scale = (x.var(dim=-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
        rest = direction.new_zeros(len(x)) if norm.bias is None else direction @ norm.bias.to(direction.dtype)
        return (own - own.mean(dim=-1, keepdim=True)) / scale, rest
    epsilon = float(norm.variance_epsilon if hasattr(norm, "variance_epsilon") else norm.eps)
    return own / (x.pow(2).mean(dim=-1, keepdim=True) + epsilon).sqrt(), direction.new_zeros(len(x))
