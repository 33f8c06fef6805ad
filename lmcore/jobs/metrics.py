"""The metrics of a job: a file of records that only grows."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcore.storage import disk_errors

MetricRows = list[dict[str, Any]]


def append_metrics(path: Path, step: int, values: Mapping[str, float]) -> None:
    """Add the values measured at a step.

    Raises:
        StorageError: the disk is full or refuses.
    """
    numbers = {name: float(value) for name, value in values.items()}
    record = {"step": int(step), "time": time.time(), "values": numbers}
    with disk_errors(path), path.open("a", encoding="utf-8") as file:
        # The line break comes first, so that a record torn by a crash spoils only itself.
        file.write("\n" + json.dumps(record))


def read_metrics(path: Path) -> MetricRows:
    """Return one row for each value; the last one recorded for a step and name counts.

    A resumed attempt goes back to its checkpoint and records some steps again, in place of what was there.

    Returns:
        Dicts with ``step``, ``time`` (Unix seconds), ``name`` and ``value``.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    rows = {(row["step"], row["name"]): row for line in lines for row in _rows(line)}
    return list(rows.values())


def _rows(line: str) -> MetricRows:
    try:
        record = json.loads(line)
        return [
            {"step": record["step"], "time": record["time"], "name": name, "value": value}
            for name, value in record["values"].items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):  # an empty line, or a record torn by a crash
        return []
