"""Activations as one safetensors file that any program reads, written layer by layer so that memory stays small."""

import json
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lmcore.analysis.activations import Activations
from lmcore.storage import whole_file

_PIECE = 16 << 20
_TYPES = {"float32": "F32", "int64": "I64"}


def write_vectors(found: Activations, path: Path) -> None:
    """Write every vector, with what tells which token of which text it belongs to.

    The file has ``layer.N`` for each layer (float32 of shape (all tokens, features)), ``ids`` (the tokens' ids), ``texts``
    (the number of each token's text) and ``positions`` (its place in what was read of that at once), int64 of shape
    (all tokens,), and as metadata the component, the stack and the fingerprint.

    Args:
        found: the vectors.
        path: the file; what stood there is replaced once the new one is complete and on disk.

    Raises:
        StorageError: the disk is full or refuses.
    """
    layers = {f"layer.{number}": layer for number, layer in zip(found.layers, found.values, strict=True)}
    with whole_file(path) as file:
        _write_tensors(file, _places(found) | layers, _facts(found))


def _facts(found: Activations) -> dict[str, str]:
    return {"component": found.component, "stack": found.stack, "fingerprint": found.fingerprint}


def _places(found: Activations) -> dict[str, np.ndarray]:
    """Return what stands at each place along the second axis of the vectors."""
    size = found.values.shape[1]
    placed = {name: np.empty(size, dtype=np.int64) for name in ("ids", "texts", "positions")}
    windows = found.starts.tolist(), found.encodings.ids, found.encodings.owners.tolist()
    for start, ids, text in zip(*windows, strict=True):
        here = slice(start, start + len(ids))
        placed["ids"][here], placed["texts"][here], placed["positions"][here] = ids, text, np.arange(len(ids))
    return placed


def _write_tensors(file: BinaryIO, tensors: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """Write the header of the format, padded to eight bytes, and each tensor's bytes behind it, the lowest first."""
    header: dict[str, object] = {"__metadata__": facts}
    end = 0
    for name, values in tensors.items():
        begin, end = end, end + values.nbytes
        header[name] = {"dtype": _TYPES[values.dtype.name], "shape": list(values.shape), "data_offsets": [begin, end]}
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    file.write(len(said).to_bytes(8, "little") + said)
    for values in tensors.values():
        rows = max(1, _PIECE // max(1, values[:1].nbytes))
        for first in range(0, len(values), rows):
            piece = np.ascontiguousarray(values[first : first + rows])
            file.write(piece.astype(piece.dtype.newbyteorder("<"), copy=False).tobytes())
