"""The stacks of layers that a transformer is made of, and taking layers out of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmcore.errors import OptionError

_SINGLE = ("encoder.layer", "transformer.layer", "layers", "h")
_JOINED = (("encoder", "encoder.layers", "encoder_layers"), ("decoder", "decoder.layers", "decoder_layers"))
# The first of these blocks holds the positions of all: they can be looked into, and none can be taken out.
_BLOCKS = (("encoder", "encoder.block", "num_layers"), ("decoder", "decoder.block", "num_decoder_layers"))


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers that a text goes through one after the other.

    Attributes:
        name: ``layers``, or of an encoder-decoder ``encoder`` or ``decoder``.
        path: where the list is in the base model.
        setting: the configuration's name for their number.
        layers: the modules.
    """

    name: str
    path: str
    setting: str
    layers: Any

    def __len__(self) -> int:
        return len(self.layers)


def layer_stacks(base: Any) -> list[Stack]:
    """Return the stacks of a base model whose layers can be taken out: one, or of an encoder-decoder two.

    Raises:
        OptionError: its layers are kept in a way that is not known here, or share their weights.
    """
    found = find_stacks(base)
    if not found or any(stack.path.endswith(".block") for stack in found):
        raise OptionError(
            f"Layers cannot be taken out of a {getattr(base.config, 'model_type', type(base).__name__)} model: choose a BERT, "
            "RoBERTa, DistilBERT, GPT-2, Llama, Marian or BART, or another method."
        )
    return found


def find_stacks(base: Any) -> list[Stack]:
    """Return the stacks of a base model: one, of an encoder-decoder two, and none where they are not known here."""
    from torch import nn

    joined = bool(getattr(base.config, "is_encoder_decoder", False))
    places = (*_JOINED, *_BLOCKS) if joined else [("layers", path, "num_hidden_layers") for path in _SINGLE]
    found = []
    for name, path, setting in places:
        layers = _at(base, path)
        if isinstance(layers, nn.ModuleList) and len(layers) == getattr(base.config, setting, None):
            found.append(Stack(name, path, setting, layers))
    return found if len(found) == (2 if joined else 1) else []


def keep_layers(base: Any, stack: Stack, kept: Sequence[int]) -> dict[str, Any]:
    """Leave only some layers, counted from 0, in a stack.

    Returns:
        What the configuration has to say afterwards; see `lmcore.models.structure.note`.
    """
    from torch import nn

    layers: Any = nn.ModuleList([stack.layers[number] for number in kept])
    for number, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):  # where the module's keys and values stand in the cache
                module.layer_idx = number
    parent, _, attribute = stack.path.rpartition(".")
    setattr(_at(base, parent), attribute, layers)
    said: dict[str, Any] = {stack.setting: len(kept)}
    if stack.name == "encoder" and hasattr(base.config, "num_hidden_layers"):
        said["num_hidden_layers"] = len(kept)
    kinds = getattr(base.config, "layer_types", None)
    if kinds and stack.name == "layers":
        said["layer_types"] = [kinds[number] for number in kept]
    return said


def _at(module: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        module = getattr(module, name, None)
    return module
