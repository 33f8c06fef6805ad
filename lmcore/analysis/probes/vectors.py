"""The vectors that probes read, streamed into a file so that memory does not grow with the number of texts."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.layer_file import LAYER_FILE, LayerFile
from lmcore.analysis.probes.examples import Examples
from lmcore.analysis.room import fitting_batch, states_of
from lmcore.models.hidden import BATCH_SIZE, HiddenBatch, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.storage import disk_errors
from lmcore.types import Part, Report

if TYPE_CHECKING:
    import torch

IN_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class LayerVectors:
    """A vector of every example at every layer.

    Attributes:
        values: float32 of shape (layers + 1, examples of all splits, features); in memory, or mapped from a file.
        places: split to where its examples' vectors are along the second axis.
    """

    values: np.ndarray
    places: Mapping[str, np.ndarray]

    @property
    def layers(self) -> int:
        """How many layers there are, the embeddings among them."""
        return len(self.values)

    def layer(self, split: str, layer: int) -> np.ndarray:
        """Return the vectors of a split's examples at one layer, in their order; float32 of shape (examples, features)."""
        found: np.ndarray = np.array(self.values[layer][self.places[split]])
        return found


@contextmanager
def layer_vectors(
    loaded: LoadedModel,
    parts: Mapping[str, Examples],
    report: Report,
    *,
    layers: Sequence[int] | None = None,
    in_memory: int = IN_MEMORY_BYTES,
) -> Iterator[LayerVectors]:
    """Read the mean token vector of each example at each layer.

    Args:
        loaded: any model; of an encoder-decoder the encoder is read.
        parts: split to examples.
        report: progress and cancellation.
        layers: which layers are kept, in this order; None keeps all.
        in_memory: above this many bytes the vectors go into a file that is removed at the end of the block.

    Raises:
        StorageError: the disk is full or refuses.
        Cancelled: the report asked to stop.
    """
    reader = read_states_of(loaded)
    places: dict[str, np.ndarray] = {}
    pieces = _pieces(reader, parts, places, layers, report)
    first = next(pieces)
    shape = (len(first[1]), sum(map(len, parts.values())), first[1][0].shape[-1])
    with ExitStack() as undo:
        if 4 * np.prod(shape) <= in_memory:
            values = np.empty(shape, dtype=np.float32)
            for start, states in _chain(first, pieces):
                for layer, state in enumerate(states):
                    values[layer, start : start + len(state)] = state
        else:
            with disk_errors(Path(tempfile.gettempdir())):
                folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="lmscope-")))
                with LayerFile(folder, shape) as file:
                    for start, states in _chain(first, pieces):
                        for layer, state in enumerate(states):
                            file.write(layer, start, [state])
            values = np.memmap(folder / LAYER_FILE, dtype=np.float32, mode="r", shape=shape)
        yield LayerVectors(values, places)


def read_states_of(loaded: LoadedModel) -> LoadedModel:
    """Return what reads the text, without a head: no vocabulary's logits are computed only to be thrown away."""
    base: Any = loaded.model.base_model
    if getattr(base.config, "is_encoder_decoder", False):
        base = base.get_encoder()
    return replace(loaded, model=base, task="", labels=())


Piece = tuple[int, list[np.ndarray]]


def _chain(first: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield first
    yield from rest


def _pieces(
    reader: LoadedModel,
    parts: Mapping[str, Examples],
    places: dict[str, np.ndarray],
    layers: Sequence[int] | None,
    report: Report,
) -> Iterator[Piece]:
    """Yield where some examples' vectors go, and those of each layer; say in ``places`` where each example's went."""
    total, done, start = sum(len(part.encodings) for part in parts.values()), 0, 0
    for split, part in parts.items():
        places[split] = np.empty(len(part), dtype=np.int64)
        of_text = _by_text(part)
        stretch = Part(report, done / total, (done + len(part.encodings)) / total)
        size = fitting_batch(
            reader, int(part.encodings.lengths.max(initial=1)), BATCH_SIZE, read=0, kept=states_of(reader)
        )
        for batch in stream_hidden_states(reader, part.encodings, batch_size=size, report=stretch):
            examples = np.concatenate([of_text[row] for row in batch.rows])
            if len(examples):
                places[split][examples] = np.arange(start, start + len(examples))
                kept = batch.states if layers is None else [batch.states[layer] for layer in layers]
                yield start, _vectors(batch, kept, part, of_text)
                start += len(examples)
        done += len(part.encodings)


def _by_text(part: Examples) -> list[np.ndarray]:
    """Return which examples each text has."""
    order = np.argsort(part.texts, kind="stable")
    ends = np.searchsorted(part.texts[order], np.arange(len(part.encodings) + 1))
    return [order[low:high] for low, high in pairwise(ends)]


def _vectors(
    batch: HiddenBatch, states: "Sequence[torch.Tensor]", part: Examples, of_text: list[np.ndarray]
) -> list[np.ndarray]:
    from lmcore.models.pooled import mean_pool

    if part.tokens is None:
        return [_plain(mean_pool(state, batch.mask)) for state in states]
    import torch

    rows, tokens, owners, number = [], [], [], 0
    for place, text in enumerate(batch.rows):
        for example in of_text[text]:
            found = part.tokens[example]
            rows.append(np.full(len(found), place))
            tokens.append(found)
            owners.append(np.full(len(found), number))
            number += 1
    row, token, owner = (torch.from_numpy(np.concatenate(x)).to(batch.mask.device) for x in (rows, tokens, owners))
    counts = torch.bincount(owner, minlength=number)[:, None]
    found = []
    for state in states:
        summed = torch.zeros(number, state.shape[-1], device=state.device, dtype=torch.float32)
        found.append(_plain(summed.index_add_(0, owner, state[row, token].float()) / counts))
    return found


def _plain(tensor: "torch.Tensor") -> np.ndarray:
    found: np.ndarray = np.ascontiguousarray(tensor.float().cpu().numpy())
    return found
