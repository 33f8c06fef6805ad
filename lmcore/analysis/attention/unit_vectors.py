"""Each layer or attention head as one long vector: of its parameters, or of where it looks over some texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmcore.analysis.probes.vectors import read_states_of
from lmcore.errors import InputError, OptionError
from lmcore.models.encode import encode_texts
from lmcore.models.load import LoadedModel
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import torch

Unit = Literal["head", "layer"]
MOST_TOKENS = 64


@dataclass(frozen=True, eq=False)
class Units:
    """Layers or heads in the order of the model.

    Attributes:
        layers: the layer of each, from 1, int64 of shape (units,).
        heads: the head of each, from 1; 0 where whole layers are meant.
        stacks: empty, or of an encoder-decoder ``encoder`` or ``decoder``.
    """

    layers: np.ndarray
    heads: np.ndarray
    stacks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def ids(self) -> list[str]:
        """What each is called: ``layer 3 head 5``."""
        found = []
        for stack, layer, head in zip(self.stacks, self.layers, self.heads, strict=True):
            name = f"{stack} layer {layer}" if stack else f"layer {layer}"
            found.append(f"{name} head {head}" if head else name)
        return found


Blocks = Iterator[np.ndarray]


def parameter_blocks(loaded: LoadedModel, unit: Unit) -> tuple[Units, Blocks]:
    """Return the units, and their parameters one matrix at a time.

    A head's parameters are its parts of the query, key, value and output matrices; a layer's are all that it has.

    Returns:
        The units, and arrays of shape (units, parameters of one matrix): side by side they are the units' vectors.

    Raises:
        OptionError: the model keeps its layers or heads in a way that is not known here.
    """
    from lmcore.models.stacks import layer_stacks

    stacks = layer_stacks(loaded.model.base_model)
    named = [(stack.name if len(stacks) > 1 else "", stack) for stack in stacks]
    if unit == "layer":
        # The two stacks of an encoder-decoder have other parameters: only what the first one's layers have is laid side
        # by side for both.
        layers = [(name, n + 1, layer) for name, stack in named for n, layer in enumerate(stack.layers)]
        units = Units(
            np.array([n for _, n, _ in layers]), np.zeros(len(layers), dtype=np.int64), tuple(s for s, _, _ in layers)
        )
        return units, _layer_blocks([layer for _, _, layer in layers])
    return _head_blocks(loaded, named)


def attention_blocks(
    loaded: LoadedModel, texts: Sequence[str], unit: Unit, *, report: Report | None = None
) -> tuple[Units, Blocks]:
    """Return the units, and where they look, one text at a time; a layer's is the mean of its heads.

    Texts are cut after 64 tokens. Of an encoder-decoder the encoder is read.

    Returns:
        The units, and arrays of shape (units, tokens of a text squared).

    Raises:
        InputError: there are no texts, or the model gives no attention.
        Cancelled: the report asked to stop, while the blocks are taken.
    """
    if not texts:
        raise InputError("There are no texts: give some to look at the attention over.")
    reader = read_states_of(loaded)
    encodings = encode_texts(loaded.tokenizer, texts, min(loaded.max_length, MOST_TOKENS))
    with reader.attention("eager") as model:
        first = _attention(reader, model, encodings.ids[0], unit)
    layers, heads = first.shape[:2]
    numbers = np.arange(1, heads + 1) if unit == "head" else np.zeros(1, dtype=np.int64)
    units = Units(np.repeat(np.arange(1, layers + 1), heads), np.tile(numbers, layers), ("",) * (layers * heads))

    def blocks() -> Blocks:
        said = report or Silent()
        with reader.attention("eager") as model:
            for number, ids in enumerate(encodings.ids):
                said.check()
                yield _attention(reader, model, ids, unit).reshape(layers * heads, -1)
                said.progress((number + 1) / len(texts), f"{number + 1} of {len(texts)} texts read by the model")

    return units, blocks()


def stacked(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Lay blocks side by side: the units' whole vectors, float32 of shape (units, features)."""
    return np.concatenate(list(blocks), axis=1)


def coordinates(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Return points with the distances that the whole vectors have from each other, without ever laying them side by side.

    Their inner products are added up block by block, and their eigenvectors give the points (Torgerson 1952).

    Returns:
        float64 of shape (units, at most units), centred at 0.
    """
    total: np.ndarray | None = None
    for block in blocks:
        centred = block.astype(np.float64)
        centred -= centred.mean(axis=0)
        inner = centred @ centred.T
        total = inner if total is None else total + inner
    if total is None:
        raise InputError("There is nothing to lay out: the units have no parameters.")
    values, vectors = np.linalg.eigh(total)
    kept = values > max(float(values[-1]), 0.0) * 1e-12
    kept[-1] = True
    found: np.ndarray = (vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0)))[:, ::-1]
    return found


def _layer_blocks(layers: Sequence[Any]) -> Blocks:
    of_layer = [dict(layer.named_parameters()) for layer in layers]
    shared = [name for name in of_layer[0] if all(name in each for each in of_layer)]
    for name in shared:
        rows = [each[name].detach() for each in of_layer]
        if len({tuple(row.shape) for row in rows}) > 1:
            raise OptionError(f"The layers have other sizes of {name}, so that they cannot be laid out on one map.")
        yield _rows(rows)


def _head_blocks(loaded: LoadedModel, named: Sequence[tuple[str, Any]]) -> tuple[Units, Blocks]:
    from lmcore.models.head_weights import head_weights

    config = loaded.model.base_model.config
    of_head, layers, heads, stacks = [], [], [], []
    for name, stack in named:
        for number, layer in enumerate(stack.layers, 1):
            for head, weights in enumerate(head_weights(layer, config), 1):
                of_head.append(weights)
                layers.append(number)
                heads.append(head)
                stacks.append(name)
    if len({tuple(matrix.shape for matrix in weights) for weights in of_head}) > 1:
        raise OptionError(
            "The heads have other sizes, so that they cannot be laid out on one map: look at whole layers."
        )
    blocks = (_rows([weights[place] for weights in of_head]) for place in range(len(of_head[0])))
    return Units(np.array(layers), np.array(heads), tuple(stacks)), blocks


def _rows(tensors: "Sequence[torch.Tensor]") -> np.ndarray:
    return np.stack([tensor.float().cpu().numpy().ravel() for tensor in tensors])


def _attention(reader: LoadedModel, model: Any, ids: Sequence[int], unit: Unit) -> np.ndarray:
    """Return one text's attention, float32 of shape (layers, heads or 1, tokens, tokens)."""
    import torch

    tokens = torch.tensor([list(ids)], device=reader.device)
    with torch.inference_mode():
        out = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), output_attentions=True)
    maps = [layer for layer in (out.attentions or ()) if layer is not None]
    if not maps:
        raise InputError(f"{reader.ref} gives no attention weights: it has no attention layers that can be read.")
    found: np.ndarray = torch.stack([layer[0] for layer in maps]).float().cpu().numpy()
    return found.mean(axis=1, keepdims=True) if unit == "layer" else found
