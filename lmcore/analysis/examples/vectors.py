"""One vector for each row at one layer, in blocks, and kept so that the next text need not wait."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from lmcore.analysis.examples.rows import ExampleRows, encode_rows
from lmcore.analysis.room import fitting_batch, states_of
from lmcore.errors import OptionError, StorageError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings
from lmcore.models.hidden import BATCH_SIZE, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.storage import whole_folder, write_json
from lmcore.types import Part, Report, Silent

BLOCK = 1024
_VALUES = "vectors.f32"
_FACTS = "vectors.json"


def layer_number(loaded: LoadedModel, layer: int) -> int:
    """Return a layer's own number, the last one for -1.

    Raises:
        OptionError: the model has no such layer.
    """
    if not -1 <= layer <= loaded.layers:
        raise OptionError(f"The layer is {layer}, but the model has the layers 0 (embeddings) to {loaded.layers}.")
    return loaded.layers if layer < 0 else layer


def mean_vectors(loaded: LoadedModel, encodings: Encodings, layer: int, *, report: Report | None = None) -> np.ndarray:
    """Return the mean token vector of each row at a layer, float32 of shape (rows, features)."""
    from lmcore.models.pooled import mean_pool

    width = int(loaded.model.base_model.config.hidden_size)
    vectors = np.empty((len(encodings), width), dtype=np.float32)
    size = fitting_batch(loaded, int(encodings.lengths.max(initial=1)), BATCH_SIZE, read=0, kept=states_of(loaded))
    for batch in stream_hidden_states(loaded, encodings, batch_size=size, report=report):
        vectors[batch.rows] = mean_pool(batch.states[layer], batch.mask).float().cpu().numpy()
    return vectors


def vector_blocks(
    loaded: LoadedModel, rows: ExampleRows, layer: int, *, stores: Path | None = None, report: Report | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield where each block of rows begins and its vectors, float32 of shape (at most 1024, features).

    Args:
        loaded: any model.
        rows: what it reads.
        layer: 0 for the embeddings up to the last one.
        stores: a folder where the vectors are kept once all are there, and read from the next time; None keeps none.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop; nothing is kept.
        StorageError: the disk is full or refuses, or what was kept is damaged.
    """
    report = report or Silent()
    if stores is None:
        yield from _computed(loaded, rows, layer, report)
        return
    folder = (
        stores / f"vectors-{fingerprint(loaded.fingerprint, loaded.max_length, loaded.task, rows.fingerprint, layer)}"
    )
    if not (folder / _FACTS).is_file():
        with suppress(FileExistsError), whole_folder(folder) as unfinished:
            _write(unfinished, _computed(loaded, rows, layer, report))
    yield from _read(folder, report)


def _computed(loaded: LoadedModel, rows: ExampleRows, layer: int, report: Report) -> Iterator[tuple[int, np.ndarray]]:
    total = len(rows.frame)
    for start in range(0, total, BLOCK):
        part = rows.frame.iloc[start : start + BLOCK]
        stretch = Part(report, start / total, min(1.0, (start + len(part)) / total))
        yield start, mean_vectors(loaded, encode_rows(loaded, rows.task, part), layer, report=stretch)


def _write(folder: Path, blocks: Iterator[tuple[int, np.ndarray]]) -> None:
    count, width = 0, 0
    with (folder / _VALUES).open("wb") as file:
        for _, vectors in blocks:
            file.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
            count, width = count + len(vectors), vectors.shape[1]
    write_json(folder / _FACTS, {"shape": [count, width]})


def _read(folder: Path, report: Report) -> Iterator[tuple[int, np.ndarray]]:
    try:
        count, width = json.loads((folder / _FACTS).read_text(encoding="utf-8"))["shape"]
        values = np.memmap(folder / _VALUES, dtype="<f4", mode="r", shape=(count, width))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The kept vectors are damaged: delete the folder {folder}.") from error
    for start in range(0, count, BLOCK):
        report.check()
        yield start, np.asarray(values[start : start + BLOCK])
        report.progress(min(1.0, (start + BLOCK) / count), f"{min(start + BLOCK, count):,} of {count:,} rows compared")
