"""Where activations come from: one component of one stack of a model, checked against the plain model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lmcore.analysis.parity import check_parity, model_output
from lmcore.errors import OptionError
from lmcore.methods import Method, Registry
from lmcore.models.components import Component, components, record
from lmcore.models.encode import Encodings, batch_of
from lmcore.models.hidden import READ, HiddenBatch, reading_module, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.types import Report

STATES = "states"
_TARGET = "lmcore.analysis.activations:extract_activations"
COMPONENTS = Registry(
    "component",
    Method(
        STATES, "Hidden states", "The vectors after each layer, the last with the final norm, as transformers has it.", _TARGET
    ),
    Method("embedding", "Embedding", "The tokens' vectors before the first layer.", _TARGET),
    Method("residual", "Residual stream", "The vectors after each layer, the last without the final norm.", _TARGET),
    Method("attention", "Attention output", "What self-attention adds to the residual stream.", _TARGET),
    Method("cross_attention", "Cross-attention output", "What a decoder's look at the encoder adds to it.", _TARGET),
    Method("mlp", "MLP output", "What the MLP adds to the residual stream.", _TARGET),
    Method("neurons", "Neurons", "The MLP's hidden units after the activation function.", _TARGET),
    Method("heads", "Heads", "The heads' outputs before the output projection, side by side.", _TARGET),
    Method("cross_heads", "Cross-attention heads", "The same of a decoder's look at the encoder.", _TARGET),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Source:
    """Vectors of one component, ready to be streamed.

    Attributes:
        loaded: the model.
        read: what it reads, with what a decoder reads as a field.
        own: the tokens whose vectors they are: those of the encoder or of the decoder.
        stack: ``layers``, ``encoder`` or ``decoder``.
        parts: the component in each layer; None for the states of a model that is not an encoder-decoder.
        layers: how many layers come.
        first_layer: the number of the first.
        width: features of a vector.
    """

    loaded: LoadedModel
    read: Encodings
    own: Encodings
    stack: str
    parts: tuple[Component, ...] | None
    layers: int
    first_layer: int
    width: int

    def stream(self, batch_size: int, report: Report | None) -> Iterator[HiddenBatch]:
        """Yield the vectors batch by batch, the longest texts first.

        Raises:
            Cancelled: the report asked to stop.
        """
        from lmcore.models.component_stream import stream_components

        if self.parts is None:
            return stream_hidden_states(self.loaded, self.read, batch_size=batch_size, report=report)
        return stream_components(self.loaded, self.read, self.parts, batch_size=batch_size, report=report)


def open_source(
    loaded: LoadedModel,
    encodings: Encodings,
    component: str = STATES,
    stack: str | None = None,
    outputs: Sequence[str] | None = None,
    *,
    layers: Sequence[int] | None = None,
    report: Report | None = None,
) -> Source:
    """Find a component of a model, and check on the shortest text that reading it changes nothing.

    Args:
        loaded: the model.
        encodings: what it reads.
        component: one of `COMPONENTS`.
        stack: of an encoder-decoder ``encoder`` (where None) or ``decoder``.
        outputs: what a decoder writes for each text; where None, what the model writes itself.
        layers: only these; all where None.
        report: progress and cancellation of the writing.

    Raises:
        InputError: the model answers otherwise when it is looked into.
        OptionError: it has no such component, stack or layer, or its parts are not known.
        Cancelled: the report asked to stop.
    """
    COMPONENTS[component]
    joined = bool(loaded.model.base_model.config.is_encoder_decoder)
    if component == STATES and not joined and stack in (None, "layers") and layers is None:
        _check_states(loaded, encodings)
        width = int(loaded.model.base_model.config.hidden_size)
        return Source(loaded, encodings, encodings, "layers", None, loaded.layers + 1, 0, width)
    name = stack or ("encoder" if joined else "layers")
    parts = _parts(loaded, component, name, layers)
    own = encodings
    if name == "decoder":
        from lmcore.models.written import decoder_encodings, output_ids, with_decoder_inputs

        written = output_ids(loaded, encodings, outputs, report=report)
        encodings, own = with_decoder_inputs(loaded, encodings, written), decoder_encodings(loaded, written)
    _check_parts(loaded, encodings, parts)
    return Source(loaded, encodings, own, name, parts, len(parts), parts[0].layer, parts[0].width)


def _parts(loaded: LoadedModel, component: str, stack: str, layers: Sequence[int] | None) -> tuple[Component, ...]:
    kind: Any = "residual" if component == STATES else component
    found = components(loaded.model, kind, stack=stack)
    if component == STATES:
        found = (*found[:-1], *(components(loaded.model, "normed", stack=stack) or found[-1:]))
    wanted = tuple(part for part in found if layers is None or part.layer in layers)
    if not wanted or len({part.width for part in wanted}) > 1:
        title = COMPONENTS[component].title.lower()
        stacks = " and ".join(sorted({part.stack for part in components(loaded.model, "mlp")}))
        asked = f" in layer {', '.join(map(str, layers))}" if found and layers is not None else ""
        raise OptionError(
            f"{loaded.ref} has no {title} of one width{asked} in its {stack}: it has {stacks}; choose another component, "
            "stack or layer."
        )
    return wanted


def _check_states(loaded: LoadedModel, encodings: Encodings) -> None:
    """Compare, on the shortest text, a run that returns all states with a plain one."""
    import torch

    batch, model = _shortest(loaded, encodings), reading_module(loaded)
    with torch.inference_mode():
        plain, full = model(**batch), model(**batch, output_hidden_states=True)
    check_parity(loaded, model_output(plain), model_output(full), "its states returned")


def _check_parts(loaded: LoadedModel, encodings: Encodings, parts: Sequence[Component]) -> None:
    """Compare, on the shortest text, a twin that is looked into with the model as it is."""
    import torch

    from lmcore.models.component_stream import stack_runner

    batch = _shortest(loaded, encodings)
    twin = loaded.twin()
    with torch.inference_mode(), record(twin, parts) as kept:
        plain = model_output(stack_runner(loaded.model, parts[0].stack)(**batch))
        other = model_output(stack_runner(twin, parts[0].stack)(**batch))
    check_parity(loaded, plain, other, "hooks on its parts")
    if any(part not in kept for part in parts):
        raise OptionError(f"{loaded.ref} passes {parts[0]} by when it runs: choose another component.")


def _shortest(loaded: LoadedModel, encodings: Encodings) -> Any:
    row = int(encodings.lengths.argmin())
    batch = batch_of(loaded.tokenizer, encodings, [row], loaded.device, labels=False)
    return {name: value for name, value in batch.items() if name in READ}
