"""Every token's vector at every layer, streamed so that memory does not grow with the number of texts."""

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
from lmcore.analysis.parity import check_parity, model_output
from lmcore.errors import InputError, StorageError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings, encode_texts, length_sorted_batches, pad_batch
from lmcore.models.hidden import BATCH_SIZE, HiddenBatch, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.storage import disk_errors, whole_folder
from lmcore.tasks import load_task
from lmcore.types import Report

IN_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Activations:
    """Vectors of the tokens of some texts.

    Attributes:
        values: float32 of shape (layers + 1, all tokens, features), layer 0 being the embeddings; in memory, or mapped
            from a file.
        starts: where each text's tokens begin along the second axis, int64 of shape (texts,).
        encodings: the texts' token ids.
        tokenizer: what names the tokens.
        fingerprint: hash of weights and token ids.
    """

    values: np.ndarray
    starts: np.ndarray
    encodings: Encodings
    tokenizer: Any
    fingerprint: str

    def layer(self, layer: int, text: int) -> np.ndarray:
        """Return one text's vectors at one layer, shape (tokens, features)."""
        start = int(self.starts[text])
        return self.values[layer, start : start + len(self.encodings.ids[text])]

    def norms(self, text: int) -> np.ndarray:
        """Return the L2 norm of one text's vectors at every layer, shape (layers + 1, tokens)."""
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
            {"layer": layer.ravel(), "position": position.ravel(), "token": tokens, "norm": norms.ravel()}
        )


def extract_activations(
    loaded: LoadedModel,
    texts: "Sequence[str] | pd.DataFrame | Encodings",
    *,
    store: Path | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Activations:
    """Run the model over texts and keep every token's vector at every layer.

    Up to 32 MiB stay in memory unless ``store`` is given. More go to a file that is mapped into memory: below ``store``,
    or in a temporary folder that goes with the result.

    Args:
        loaded: any model.
        texts: what it reads: texts, a data set's rows, or token ids. A text above the model's limit is cut, and
            ``encodings.truncated`` says so.
        store: a folder that does not exist yet; it appears under this name once it is complete and on disk.
        batch_size: texts in one forward pass.
        report: progress and cancellation.

    Raises:
        InputError: there are no texts, or the model answers otherwise when it returns its states.
        StorageError: the disk is full or refuses, or the store is there already.
        Cancelled: the report asked to stop; no store is left.
    """
    encodings = _encodings(loaded, texts)
    if not len(encodings):
        raise InputError("There are no texts: give at least one.")
    if store is not None and store.exists():
        raise _exists(store)
    _check_states(loaded, encodings)
    order = np.concatenate(list(length_sorted_batches(encodings.lengths, batch_size)))
    starts = np.empty(len(encodings), dtype=np.int64)
    starts[order] = np.concatenate([[0], np.cumsum(encodings.lengths[order])[:-1]])
    shape = (loaded.layers + 1, int(encodings.lengths.sum()), int(loaded.model.base_model.config.hidden_size))
    batches = stream_hidden_states(loaded, encodings, batch_size=batch_size, report=report)
    if store is None and 4 * np.prod(shape) <= IN_MEMORY_BYTES:
        values, folder = _in_memory(batches, starts, encodings.lengths, shape), None
    else:
        folder = _in_file(batches, starts, encodings.lengths, shape, store)
        values = np.memmap(folder / LAYER_FILE, dtype=np.float32, mode="r", shape=shape)
    found = Activations(values, starts, encodings, loaded.tokenizer, fingerprint(loaded.fingerprint, encodings.ids))
    if folder is not None and store is None:
        weakref.finalize(found, shutil.rmtree, folder.parent, ignore_errors=True)
    return found


def _encodings(loaded: LoadedModel, texts: "Sequence[str] | pd.DataFrame | Encodings") -> Encodings:
    if isinstance(texts, Encodings):
        return texts
    if isinstance(texts, pd.DataFrame):
        if loaded.task:
            return load_task(loaded.task).encode(loaded.tokenizer, texts, loaded.max_length)
        texts = texts["text"].tolist()
    if isinstance(texts, str):
        raise InputError("One text was given in place of a list: put it into a list.")
    return encode_texts(loaded.tokenizer, texts, loaded.max_length)


def _check_states(loaded: LoadedModel, encodings: Encodings) -> None:
    """Compare, on the shortest text, a run that returns all states with a plain one."""
    import torch

    batch = pad_batch(loaded.tokenizer, [encodings.ids[int(encodings.lengths.argmin())]], loaded.device)
    with torch.inference_mode():
        plain, full = loaded.model(**batch), loaded.model(**batch, output_hidden_states=True)
    check_parity(loaded, model_output(plain), model_output(full), "its states returned")


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
