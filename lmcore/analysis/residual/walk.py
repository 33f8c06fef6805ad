"""The way back through the residual stream: what each part of a stack adds in a direction in which the last layer is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.analysis.residual.frozen_norms import pull_back
from lmcore.models.components import Component, head_outputs, projection_bias
from lmcore.models.layouts import Layout, layout_of
from lmcore.models.stacks import Stack, find_stacks
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import torch

_KINDS = {"heads": "head", "cross_heads": "cross head", "mlp": "MLP", "embedding": "embedding"}
_NORM_BIASES = {"heads": "attention norm bias", "cross_heads": "cross-attention norm bias", "mlp": "MLP norm bias"}


@dataclass(frozen=True, eq=False)
class Share:
    """What one part adds.

    Attributes:
        kind: embedding, head, cross head, MLP, head bias, the bias of an attention's projection ("attention bias") or of the
            norm after a block ("attention norm bias", "MLP norm bias", "final norm bias").
        layer: from 1; 0 for the embedding and for what belongs to none.
        head: from 1; 0 where it is none.
        scores: by token, float64 of shape (tokens,).
    """

    kind: str
    layer: int
    head: int
    scores: "torch.Tensor"

    @property
    def name(self) -> str:
        """What it is called."""
        at = f"layer {self.layer}"
        if self.head:
            return f"{self.kind} {self.head} of {at}"
        return f"{self.kind} of {at}" if self.layer else self.kind


def walk_back(
    model: Any, values: "Mapping[Component, torch.Tensor]", direction: "torch.Tensor", *, report: Report | None = None
) -> list[Share]:
    """Return what each part of a stack adds in a direction, from the embedding up.

    The shares sum to the dot product of the last vectors (after the final norm, where there is one) with the direction.

    Args:
        model: whose parts they are.
        values: what all parts of one stack gave, float64 of shape (tokens, width), of heads (tokens, heads, size).
        direction: float64 of shape (tokens, features).
        report: progress and cancellation, layer by layer.

    Raises:
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    stack = next(s for s in find_stacks(model.base_model) if s.name == next(iter(values)).stack)
    layout = layout_of(str(model.base_model.config.model_type))[stack.name]
    by_place: dict[tuple[str, int], Component] = {(part.kind, part.layer): part for part in values}
    walk = _Walk(model, values, by_place, layout, stack)
    last = len(stack)
    if ("normed", last) in by_place:
        norm = model.get_submodule(by_place["normed", last].path)
        direction = walk.through(norm, values[by_place["residual", last]], direction, "final norm bias")
    for layer in range(last, 0, -1):
        report.check()
        direction = walk.layer(layer, direction)
        report.progress((last - layer + 1) / last, f"Taking the logit apart: layer {layer}")
    walk.add(by_place["embedding", 0], direction)
    return walk.shares[::-1]


class _Walk:
    """The shares that were found on the way down, and what is needed to go on."""

    def __init__(
        self,
        model: Any,
        values: "Mapping[Component, torch.Tensor]",
        parts: Mapping[tuple[str, int], Component],
        layout: Layout,
        stack: Stack,
    ) -> None:
        self.model, self.values, self.parts, self.layout, self.stack = model, values, parts, layout, stack
        self.shares: list[Share] = []

    def add(self, part: Component, direction: "torch.Tensor") -> None:
        """Note what a part adds; heads one by one, and what their projection adds besides."""
        values = self.values[part]
        kind = _KINDS[part.kind]
        if not part.heads:
            self.shares.append(Share(kind, part.layer, 0, (values * direction).sum(dim=-1)))
            return
        bias = projection_bias(self.model, part)
        if bias is not None:
            named = "cross-attention bias" if part.kind == "cross_heads" else "attention bias"
            self.shares.append(Share(named, part.layer, 0, direction @ bias.to(direction.dtype)))
        added = head_outputs(self.model, part, values[None].float())[0]
        for head in range(part.heads - 1, -1, -1):
            scores = (added[:, head].double() * direction).sum(dim=-1)
            self.shares.append(Share(kind, part.layer, head + 1, scores))

    def layer(self, layer: int, direction: "torch.Tensor") -> "torch.Tensor":
        """Note what the blocks of a layer add, and return the direction before it."""
        blocks = [("attention", "heads", self.layout.attention_norm)]
        if self.layout.cross:
            blocks.append(("cross_attention", "cross_heads", self.layout.cross_norm))
        blocks.append(("mlp", "mlp", self.layout.mlp_norm))
        norms = [self.stack.layers[layer - 1].get_submodule(path) for _, _, path in blocks]
        sums = self._sums(layer, [kind for kind, _, _ in blocks], norms)
        for (_, kind, _), norm, x in zip(reversed(blocks), reversed(norms), reversed(sums), strict=True):
            if not self.layout.before:
                direction = self.through(norm, x, direction, _NORM_BIASES[kind], layer)
            self.add(self.parts[kind, layer], direction)
        return direction

    def _sums(self, layer: int, kinds: list[str], norms: list[Any]) -> "list[torch.Tensor]":
        """Return what stands in the stream after each block of a layer, before the norm after it."""
        stream = self.values[self.parts["residual", layer - 1]]
        found = []
        for kind, norm in zip(kinds, norms, strict=True):
            found.append(stream + self.values[self.parts[kind, layer]])
            stream = found[-1] if self.layout.before else norm(found[-1].float()).double()
        return found

    def through(
        self, norm: Any, x: "torch.Tensor", direction: "torch.Tensor", kind: str, layer: int = 0
    ) -> "torch.Tensor":
        """Go through a norm, noting what its bias adds."""
        direction, rest = pull_back(norm, x, direction)
        if bool((rest != 0).any()):
            self.shares.append(Share(kind, layer, 0, rest))
        return direction
