"""Every token's vector at every layer, streamed so that memory does not grow with the number of texts.

What is read is the residual stream, or what one kind of block gave: see `lmcore.models.components`.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.layer_file import LAYER_FILE, LayerFile
from lmcore.analysis.room import fitting_batch, states_of
from lmcore.analysis.sources import STATES, open_source
from lmcore.errors import InputError, StorageError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings, encode_texts, length_sorted_batches
from lmcore.models.hidden import BATCH_SIZE, HiddenBatch
from lmcore.models.load import LoadedModel
from lmcore.storage import disk_errors, whole_folder
from lmcore.tasks import load_task
from lmcore.tasks.language import LanguageTask
from lmcore.types import Report

IN_MEMORY_BYTES = 32 << 20
_WIDEST = {"neurons": 4}  # times the width of other vectors, about


@dataclass(frozen=True, eq=False)
class Activations:
    """Vectors of the tokens of some texts.

    Attributes:
        values: float32 of shape (layers, all tokens, features); in memory, or mapped from a file. Of the residual stream
            the first layer is 0, the embeddings; of blocks it is 1.
        starts: where each text's tokens begin along the second axis, int64 of shape (texts,).
        encodings: the texts' token ids; of a decoder behind an encoder, what it reads while it writes.
        tokenizer: what names the tokens.
        fingerprint: hash of weights, token ids and component.
        component: what was read; see `COMPONENTS`.
        stack: ``layers``, or of an encoder-decoder ``encoder`` or ``decoder``.
        first_layer: the number of the first layer in ``values``.
    """

    values: np.ndarray
    starts: np.ndarray
    encodings: Encodings
    tokenizer: Any
    fingerprint: str
    component: str = STATES
    stack: str = "layers"
    first_layer: int = 0

    @property
    def layers(self) -> range:
        """The numbers of the layers in ``values``."""
        return range(self.first_layer, self.first_layer + len(self.values))

    def layer(self, layer: int, text: int) -> np.ndarray:
        """Return one text's vectors at one layer, shape (tokens, features).

        Raises:
            InputError: the component has no such layer.
        """
        if layer not in self.layers:
            raise InputError(f"There is no layer {layer}: give {self.layers[0]} to {self.layers[-1]}.")
        start = int(self.starts[text])
        return self.values[layer - self.first_layer, start : start + len(self.encodings.ids[text])]

    def norms(self, text: int) -> np.ndarray:
        """Return the L2 norm of one text's vectors at every layer, shape (layers, tokens)."""
        start = int(self.starts[text])
        lengths: np.ndarray = np.linalg.norm(
            self.values[:, start : start + len(self.encodings.ids[text])].astype(np.float32), axis=-1
        )
        return lengths

    def tokens(self, text: int) -> tuple[str, ...]:
        """Return one text's tokens as the tokenizer names them."""
        return tuple(self.tokenizer.convert_ids_to_tokens(self.encodings.ids[text]))

    def to_frame(self, text: int) -> pd.DataFrame:
        """Return one text's ``layer``, ``position``, ``token`` and ``norm``."""
        norms = self.norms(text)
        layer, position = np.indices(norms.shape)
        tokens = np.array(self.tokens(text), dtype=object)[position.ravel()]
        return pd.DataFrame(
            {
                "layer": layer.ravel() + self.first_layer,
                "position": position.ravel(),
                "token": tokens,
                "norm": norms.ravel(),
            }
        )


def extract_activations(
    loaded: LoadedModel,
    texts: "Sequence[str] | pd.DataFrame | Encodings",
    *,
    component: str = STATES,
    stack: str | None = None,
    outputs: Sequence[str] | None = None,
    store: Path | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Activations:
    """Run the model over texts and keep every token's vector at every layer.

    Up to 32 MiB stay in memory unless ``store`` is given. More go to a file that is mapped into memory: below ``store``,
    or in a temporary folder that goes with the result.

    Args:
        loaded: any model; for other components than ``states`` one whose parts are known.
        texts: what it reads: texts as far as the model's window goes, a data set's rows as far as it takes them in
            training, or token ids. What is longer is cut, and ``encodings.truncated`` says so.
        component: ``states`` (the residual stream as transformers gives it: after the last layer with the final norm,
            where the model has one), ``residual`` (without that norm: the sum of embedding and blocks), ``embedding``,
            ``attention``, ``cross_attention``, ``mlp`` (what the blocks add), ``neurons``, ``heads``, ``cross_heads``.
        stack: of an encoder-decoder ``encoder`` (where None) or ``decoder``.
        outputs: what the decoder of an encoder-decoder writes for each text; where None, what the model writes itself.
        store: a folder that does not exist yet; it appears under this name once it is complete and on disk.
        batch_size: texts in one forward pass, at most: fewer where memory is short.
        report: progress and cancellation.

    Raises:
        InputError: there are no texts, or the model answers otherwise when it returns its states.
        OptionError: the model has no such component or stack, or its parts are not known.
        ResourceError: the longest text would not fit into memory.
        StorageError: the disk is full or refuses, or the store is there already.
        Cancelled: the report asked to stop; no store is left.
    """
    encodings = _encodings(loaded, texts)
    if not len(encodings):
        raise InputError("There are no texts: give at least one.")
    if store is not None and store.exists():
        raise _exists(store)
    kept = states_of(loaded) * _WIDEST.get(component, 1)
    batch_size = fitting_batch(loaded, int(encodings.lengths.max()), batch_size, read=0, kept=kept)
    source = open_source(loaded, encodings, component, stack, outputs, report=report)
    own = source.own
    order = np.concatenate(list(length_sorted_batches(source.read.lengths, batch_size)))
    starts = np.empty(len(own), dtype=np.int64)
    starts[order] = np.concatenate([[0], np.cumsum(own.lengths[order])[:-1]])
    shape = (source.layers, int(own.lengths.sum()), source.width)
    batches = source.stream(batch_size, report)
    if store is None and 4 * np.prod(shape) <= IN_MEMORY_BYTES:
        values, folder = _in_memory(batches, starts, own.lengths, shape), None
    else:
        folder = _in_file(batches, starts, own.lengths, shape, store)
        values = np.memmap(folder / LAYER_FILE, dtype=np.float32, mode="r", shape=shape)
    what = () if component == STATES else (component, source.stack)
    digits = fingerprint(loaded.fingerprint, own.ids, *what)
    found = Activations(values, starts, own, loaded.tokenizer, digits, component, source.stack, source.first_layer)
    if folder is not None and store is None:
        weakref.finalize(found, shutil.rmtree, folder.parent, ignore_errors=True)
    return found


def _encodings(loaded: LoadedModel, texts: "Sequence[str] | pd.DataFrame | Encodings") -> Encodings:
    if isinstance(texts, Encodings):
        return texts
    if isinstance(texts, pd.DataFrame):
        task = load_task(loaded.task) if loaded.task else None
        if task is not None and not isinstance(task, LanguageTask):  # that would mask tokens, or cut windows
            return task.adapted(loaded.model.config).encode(loaded.tokenizer, texts, loaded.max_length)
        texts = texts["text"].tolist()
    if isinstance(texts, str):
        raise InputError("One text was given in place of a list: put it into a list.")
    return encode_texts(loaded.tokenizer, texts, loaded.widest.max_length)


def _in_memory(
    batches: Iterator[HiddenBatch], starts: np.ndarray, lengths: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    values = np.empty(shape, dtype=np.float32)
    for start, layer, vectors in _places(batches, starts, lengths):
        for kept in vectors:
            values[layer, start : start + len(kept)] = kept
            start += len(kept)
    return values


def _in_file(
    batches: Iterator[HiddenBatch],
    starts: np.ndarray,
    lengths: np.ndarray,
    shape: tuple[int, int, int],
    store: Path | None,
) -> Path:
    """Return the folder that holds the file: the store, or one in a temporary folder of its own."""
    with ExitStack() as undo:
        if store is None:
            with disk_errors(Path(tempfile.gettempdir())):
                parent = tempfile.mkdtemp(prefix="lmscope-")
            undo.callback(shutil.rmtree, parent, ignore_errors=True)
        target = store if store is not None else Path(parent) / "activations"
        try:
            with whole_folder(target) as folder, LayerFile(folder, shape) as file:
                for start, layer, vectors in _places(batches, starts, lengths):
                    file.write(layer, start, vectors)
        except FileExistsError as error:
            raise _exists(target) from error
        undo.pop_all()
    return target


def _exists(store: Path) -> StorageError:
    return StorageError(f"There is a store at {store} already: give a folder that does not exist yet.")


def _places(
    batches: Iterator[HiddenBatch], starts: np.ndarray, lengths: np.ndarray
) -> Iterator[tuple[int, int, list[np.ndarray]]]:
    """Yield where a batch's vectors of a layer begin, the layer, and the vectors of each text without its padding."""
    for batch in batches:
        start = int(starts[batch.rows[0]])
        for layer, state in enumerate(batch.states):
            vectors = np.ascontiguousarray(state.float().cpu().numpy())
            yield start, layer, [kept[:length] for kept, length in zip(vectors, lengths[batch.rows], strict=True)]
