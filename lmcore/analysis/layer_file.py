"""One file with the vectors of all layers, written piece by piece beside the forward passes."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np

LAYER_FILE = "activations.f32"
_FLUSH_BYTES = 32 << 20
_PIECES = 512


class LayerFile:
    """A float32 array of shape (layers, tokens, features) on disk that is filled in any order.

    What was written is flushed in the background, so that the last flush, which makes the file safe, is short.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        self._path, self._shape = folder / LAYER_FILE, shape
        self._written = 0
        self._flush: Future[None] | None = None

    def __enter__(self) -> "LayerFile":
        self._file = self._path.open("wb", buffering=0)
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="flush")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flusher.shutdown(wait=True)
        self._file.close()
        if kind is None and self._flush is not None:
            self._flush.result()

    def write(self, layer: int, start: int, vectors: Sequence[np.ndarray]) -> None:
        """Put vectors, each of shape (some tokens, features), one after the other from a token of a layer on.

        Raises:
            OSError: the disk is full or refuses.
        """
        _, tokens, features = self._shape
        offset = 4 * features * (layer * tokens + start)
        for first in range(0, len(vectors), _PIECES):
            offset += self._put(vectors[first : first + _PIECES], offset)
        if self._written >= _FLUSH_BYTES and (self._flush is None or self._flush.done()):
            if self._flush is not None:
                self._flush.result()
            self._flush = self._flusher.submit(os.fsync, self._file.fileno())
            self._written = 0

    def _put(self, vectors: Sequence[np.ndarray], offset: int) -> int:
        """Write all bytes: a disk that is almost full takes a part first and refuses only the next write."""
        size = sum(vector.nbytes for vector in vectors)
        done = os.pwritev(self._file.fileno(), [vector.data for vector in vectors], offset)
        while done < size:
            rest = b"".join(vector.tobytes() for vector in vectors)[done:]
            done += os.pwrite(self._file.fileno(), rest, offset + done)
        self._written += size
        return size
