"""Content hashes that name data, weights and parameters."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LENGTH = 16


def fingerprint(*parts: object) -> str:
    """Hash JSON-like values, in order.

    Args:
        *parts: strings, numbers, booleans, None, and lists or dicts of them; bytes are hashed as they are.

    Returns:
        16 hexadecimal digits; equal parts give equal digits on every machine.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, ensure_ascii=False).encode()
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()[:LENGTH]


def fingerprint_frame(frame: "pd.DataFrame") -> str:
    """Hash every cell and column name of a frame, in order (never a sample of the rows)."""
    digest = hashlib.sha256()
    for name in frame.columns:
        cells = json.dumps([str(name), [None if v is None or v != v else str(v) for v in frame[name]]])
        digest.update(cells.encode())
    return digest.hexdigest()[:LENGTH]


def fingerprint_array(array: "np.ndarray") -> str:
    """Hash an array's shape, type and every value."""
    return fingerprint(list(array.shape), str(array.dtype), array.tobytes())


def fingerprint_file(path: Path) -> str:
    """Hash a file's content, read in blocks of one MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:LENGTH]
