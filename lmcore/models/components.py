"""The parts of a transformer: what each adds to the vectors that pass through, to be read and to be replaced.

Every layer reads the residual stream, and its blocks (attention, of a decoder behind an encoder also cross-attention,
and the MLP) add to it. Layers count from 1; the residual of layer 0 is the embedding.

Where norms stand before the blocks (GPT-2, Llama, T5, Pegasus), the parts add up::

    residual[k] = residual[k - 1] + attention[k] (+ cross_attention[k]) + mlp[k]
    residual[n] = embedding + the sum of what all blocks added

and the final norm comes after ``residual[n]``. Where they stand after them (BERT, RoBERTa, DistilBERT, Marian, BART), the
stream is normalised after each block, and what holds is::

    middle      = attention_norm(residual[k - 1] + attention[k])   (cross-attention: the same again)
    residual[k] = mlp_norm(middle + mlp[k])

The heads' outputs are those before the output projection: ``head_outputs`` gives what each adds to the attention
block's output, which is their sum and the projection's bias. Neurons are the MLP's hidden units after the activation
function (of a gated MLP such as Llama's: after the gate), before they are projected back.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lmcore.errors import OptionError

if TYPE_CHECKING:
    import torch

    from lmcore.models.layouts import Layout
    from lmcore.models.stacks import Stack

Kind = Literal[
    "embedding", "residual", "attention", "cross_attention", "mlp", "heads", "cross_heads", "neurons", "normed"
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "embedding", "residual", "attention", "cross_attention", "mlp", "heads", "cross_heads", "neurons", "normed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a model, and where it is read.

    Attributes:
        kind: ``embedding``, ``residual`` (after the layer), ``attention`` and ``cross_attention`` (what the block adds),
            ``mlp`` (what it adds), ``heads`` and ``cross_heads`` (before the output projection), ``neurons`` (the MLP's
            hidden units after the activation), ``normed`` (the last residual after the final norm, where there is one).
        layer: from 1; 0 for the embedding, which is the residual of layer 0.
        stack: ``layers``, or of an encoder-decoder ``encoder`` or ``decoder``.
        path: of the module below the model.
        reads_input: whether it is the module's input, else its output.
        heads: their number, for ``heads`` and ``cross_heads``; 0 for others.
        width: features of a token's vector; for heads, of all of them together.
    """

    kind: Kind
    layer: int
    stack: str
    path: str
    reads_input: bool = False
    heads: int = 0
    width: int = 0

    def __str__(self) -> str:
        name = self.kind.replace("_", "-")
        return f"{name} of layer {self.layer}" + ("" if self.stack == "layers" else f" of the {self.stack}")


def components(model: Any, *kinds: Kind, stack: str | None = None) -> tuple[Component, ...]:
    """Return a model's parts, stack by stack and layer by layer.

    Args:
        model: a transformers model, with a head or without.
        *kinds: which of `KINDS`; all where none is named.
        stack: ``layers``, ``encoder`` or ``decoder`` alone; all where None.

    Raises:
        OptionError: the model is of a kind whose parts are not known here, or a kind of component does not exist.
    """
    from lmcore.models.layouts import layout_of
    from lmcore.models.stacks import find_stacks

    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise OptionError(f"There is no component {', '.join(sorted(unknown))}: choose {', '.join(KINDS)}.")
    base = model.base_model
    layouts = layout_of(str(getattr(base.config, "model_type", type(base).__name__)))
    names = {id(module): name for name, module in model.named_modules()}
    found = [
        part
        for each in find_stacks(base)
        if stack in (None, each.name)
        for part in _stack_parts(each, layouts[each.name], names, base.config)
    ]
    return tuple(part for part in found if not kinds or part.kind in kinds)


def _stack_parts(stack: "Stack", layout: "Layout", names: dict[int, str], config: Any) -> Iterator[Component]:
    width = int(getattr(config, "hidden_size", 0) or config.d_model)
    first = names[id(stack.layers[0])]
    yield Component("embedding", 0, stack.name, first, reads_input=True, width=width)
    yield Component("residual", 0, stack.name, first, reads_input=True, width=width)
    for number, layer in enumerate(stack.layers, 1):
        root = names[id(layer)]
        looks: list[tuple[Kind, Kind, str]] = [("attention", "heads", layout.attention)]
        if layout.cross:
            looks.append(("cross_attention", "cross_heads", layout.cross))
        for block, heads, path in looks:
            inner = _inputs(layer.get_submodule(path))
            count = inner // _head_size(config, stack.name)
            yield Component(heads, number, stack.name, f"{root}.{path}", reads_input=True, heads=count, width=inner)
            yield Component(block, number, stack.name, f"{root}.{path}", width=width)
        inner = _inputs(layer.get_submodule(layout.mlp))
        yield Component("neurons", number, stack.name, f"{root}.{layout.mlp}", reads_input=True, width=inner)
        yield Component("mlp", number, stack.name, f"{root}.{layout.mlp}", width=width)
        yield Component("residual", number, stack.name, root, width=width)
    if layout.final:
        above = first.split(".")[:-2]  # the list of layers, and the layer's number in it
        yield Component("normed", len(stack), stack.name, ".".join([*above, layout.final]), width=width)


@contextmanager
def record(model: Any, wanted: Iterable[Component]) -> "Iterator[dict[Component, torch.Tensor]]":
    """Keep what components gave in the last forward pass, with its graph where there is one.

    The hooks are the model's own and every thread's passes meet them: take a twin, as `LoadedModel.twin` gives it. What
    a `replace` that was opened before put in is what is kept.

    Args:
        model: whose modules the components name.
        wanted: which ones.

    Yields:
        The values, filled by each forward pass: shape (batch, tokens, width), of heads (batch, tokens, heads, size).
    """
    kept: dict[Component, torch.Tensor] = {}

    def keeper(component: Component) -> "Callable[[torch.Tensor], None]":
        def keep(values: "torch.Tensor") -> None:
            kept[component] = values

        return keep

    with ExitStack() as hooks:
        for component in wanted:
            hooks.enter_context(_hooked(model, component, keeper(component)))
        yield kept


@contextmanager
def replace(model: Any, component: Component, function: "Callable[[torch.Tensor], torch.Tensor]") -> Iterator[None]:
    """Put something else in the place of what a component gives, in every forward pass: to patch, ablate or steer.

    Args:
        model: whose module the component names; a twin, see `record`.
        component: which one.
        function: gets the values, (batch, tokens, width) or of heads (batch, tokens, heads, size), and returns as many.
            It must not write into what it gets.
    """
    with _hooked(model, component, function):
        yield


@contextmanager
def _hooked(
    model: Any, component: Component, function: "Callable[[torch.Tensor], torch.Tensor | None]"
) -> Iterator[None]:
    """Call a function with a component's values; where it returns some, they take their place."""

    def changed(values: "torch.Tensor") -> "torch.Tensor | None":
        shaped = values.reshape(*values.shape[:-1], component.heads, -1) if component.heads else values
        found = function(shaped)
        return found if found is None else found.reshape(values.shape)

    def after(_: Any, __: Any, out: Any) -> Any:
        new = changed(out[0] if isinstance(out, tuple) else out)
        return None if new is None else (new, *out[1:]) if isinstance(out, tuple) else new

    def before(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        new = changed(given[0] if given else named["hidden_states"])
        if new is None:
            return None
        return ((new, *given[1:]), named) if given else (given, {**named, "hidden_states": new})

    module = model.get_submodule(component.path)
    if component.reads_input:
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def head_outputs(model: Any, component: Component, values: "torch.Tensor") -> "torch.Tensor":
    """Return what each head adds to its attention block's output: the output projection, split by head.

    Args:
        model: whose projection it is.
        component: of the kind ``heads`` or ``cross_heads``.
        values: the heads' outputs, shape (batch, tokens, heads, size).

    Returns:
        Shape (batch, tokens, heads, features). Their sum over the heads, and `projection_bias`, is the block's output.
    """
    import torch

    weight = _weight(model.get_submodule(component.path))
    return torch.einsum("bthi,hio->btho", values, weight.reshape(component.heads, -1, weight.shape[1]))


def projection_bias(model: Any, component: Component) -> "torch.Tensor | None":
    """Return what the linear map of a component adds besides any head or neuron, shape (features,); None for nothing."""
    bias: torch.Tensor | None = model.get_submodule(component.path).bias
    return bias


def _weight(linear: Any) -> "torch.Tensor":
    """Return a linear map's matrix, shape (inputs, outputs)."""
    if linear.weight.dtype.is_floating_point:
        weight: torch.Tensor = linear.weight
        return weight.T if hasattr(linear, "in_features") else weight
    raise OptionError("The heads of a model in eight bits cannot be told apart: take the version it was made from.")


def _inputs(linear: Any) -> int:
    return int(linear.in_features if hasattr(linear, "in_features") else linear.weight.shape[0])


def _head_size(config: Any, stack: str) -> int:
    own = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    heads = getattr(config, f"{stack}_attention_heads", None) or config.num_attention_heads
    return int(own or int(config.hidden_size) // int(heads))
