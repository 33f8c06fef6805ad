"""Where the outputs of a layer's heads are joined, and letting each of them be weighed or replaced there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lmcore.errors import OptionError
from lmcore.models.stacks import layer_stacks
from lmcore.models.structure import HEADS

if TYPE_CHECKING:
    import torch

Kind = Literal["encoder", "decoder", "cross"]

_OWN = ("attention.output.dense", "attention.out_lin", "self_attn.o_proj", "self_attn.out_proj", "attn.c_proj")
_CROSS = ("encoder_attn.out_proj",)


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """The joint of one attention module.

    Attributes:
        projection: the layer that the heads' outputs, one beside the other, go through.
        heads: number of heads.
        size: features of a head.
        layer: of its stack, counted from 0.
        kind: ``encoder``, ``decoder``, or ``cross`` for a decoder's attention to its source.
    """

    projection: Any
    heads: int
    size: int
    layer: int = 0
    kind: Kind = "encoder"


def head_outputs(base: Any, kind: Kind) -> list[HeadOutput]:
    """Return the joints of one kind of a base model's attention, from the input on.

    Args:
        base: a base model; its layers are found by the names that transformers gives them.
        kind: of an encoder-decoder any of the three; for a model of one stack it is the name that it is to have.

    Raises:
        OptionError: the model keeps its layers or heads in a way that is not known here.
    """
    config = base.config
    name = str(getattr(config, "model_type", type(base).__name__))
    unknown = OptionError(f"The heads of a {name} model cannot be told apart: choose a BERT, GPT-2, Llama, Marian or BART.")
    try:
        stacks = layer_stacks(base)
    except OptionError as error:
        raise unknown from error
    wanted = "decoder" if kind == "cross" else kind
    stack = next((stack for stack in stacks if stack.name in (wanted, "layers")), None)
    heads = getattr(config, HEADS, 0) or config.num_attention_heads
    if stack is not None and stack.name == "decoder":
        heads = getattr(config, "decoder_attention_heads", None) or heads
    found = []
    for number, layer in enumerate(stack.layers if stack is not None else ()):
        joint = next((m for m in (_at(layer, path) for path in (_CROSS if kind == "cross" else _OWN)) if m is not None), None)
        if joint is None:
            raise unknown
        found.append(HeadOutput(joint, int(heads), _inputs(joint) // int(heads), number, kind))
    if not found:
        raise unknown
    return found


@contextmanager
def gated_heads(
    outputs: Sequence[HeadOutput], gates: "Sequence[torch.Tensor]", fills: "Sequence[torch.Tensor] | None" = None
) -> Iterator[None]:
    """Let each head's output be multiplied by its gate, and what the gate leaves out be filled, before heads are joined.

    Args:
        outputs: the joints.
        gates: for each of them a tensor of shape (batch, heads): 1 leaves a head as it is, 0 takes it out.
        fills: for each of them what stands in for a head that is out, of shape (heads × features); nothing where None.
    """

    def hook(size: int, gate: "torch.Tensor", fill: "torch.Tensor | None") -> Any:
        def multiply(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            wide = gate.repeat_interleave(size, dim=1)[:, None, :]
            joined = arguments[0] * wide
            return (joined if fill is None else joined + (1 - wide) * fill, *arguments[1:])

        return multiply

    given = fills if fills is not None else [None] * len(outputs)
    handles = [
        output.projection.register_forward_pre_hook(hook(output.size, gate, fill))
        for output, gate, fill in zip(outputs, gates, given, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def watched_heads(outputs: Sequence[HeadOutput], seen: "dict[int, torch.Tensor]") -> Iterator[None]:
    """Put what goes into each joint, of shape (batch, tokens, heads × features), into ``seen`` by the joint's place."""

    def hook(place: int) -> Any:
        def look(module: Any, arguments: tuple[Any, ...]) -> None:
            seen[place] = arguments[0]

        return look

    handles = [output.projection.register_forward_pre_hook(hook(place)) for place, output in enumerate(outputs)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gate_gradients(value: "torch.Tensor", gates: "Sequence[torch.Tensor]") -> "torch.Tensor":
    """Return the absolute gradient of a sum of outputs with respect to each gate (Michel et al. 2019).

    The gradient with respect to a gate of 1 is the head's output times the gradient with respect to it, summed. Each text
    has gates of its own, so that gradients of different signs do not cancel out.

    Args:
        value: the scalar.
        gates: one tensor a joint, of shape (batch, heads), that it was computed with.

    Returns:
        Shape (joints, batch, heads).
    """
    import torch

    return torch.stack([gradient.abs() for gradient in torch.autograd.grad(value, list(gates))])


def _inputs(projection: Any) -> int:
    """Return how many features a linear layer, or one that keeps its matrix the other way round, takes."""
    return int(getattr(projection, "in_features", None) or projection.weight.shape[0])


def _at(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module
