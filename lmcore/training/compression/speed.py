"""How fast models are on this machine, measured side by side."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.load import LoadedModel

SINGLES = 60
BATCHES = 8
WARM_UP = 3
BATCH_ROWS = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a model's passes take, the tokenizer and reading the outputs left out.

    Attributes:
        single_ms: median milliseconds for one text alone.
        single_p95_ms: 95th percentile of the same.
        batch_per_second: texts a second in a batch, from the batches' median time.
    """

    single_ms: float
    single_p95_ms: float
    batch_per_second: float


def measure_speed(
    models: "Mapping[str, LoadedModel]",
    rows: "pd.DataFrame",
    *,
    singles: int = SINGLES,
    batches: int = BATCHES,
    report: Report | None = None,
) -> dict[str, Speed]:
    """Time forward passes over real rows, in turn: each round every model reads the same text.

    A model that writes reads both the text and what was to be written, in one pass.

    Args:
        models: name to model, all of the same task and with the same tokenizer.
        rows: what is read; the first ``singles`` one by one, the first 32 as a batch.
        singles: rounds with one text.
        batches: rounds with a batch, spread evenly among the others.
        report: progress and cancellation.

    Returns:
        Name to speed.

    Raises:
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    work = {name: _work(loaded, rows) for name, loaded in models.items()}
    for name, (alone, together) in work.items():
        for _ in range(WARM_UP):
            _time(models[name], alone[0])
        _time(models[name], together)
    alone_times: dict[str, list[float]] = {name: [] for name in models}
    batch_times: dict[str, list[float]] = {name: [] for name in models}
    every = max(1, singles // batches)
    names = list(models)
    for number in range(singles):
        report.check()
        shift = number % len(names)
        for name in [*names[shift:], *names[:shift]]:  # nobody is always the first after a pause
            alone, together = work[name]
            alone_times[name].append(_time(models[name], alone[number % len(alone)]))
            if number % every == 0:
                batch_times[name].append(_time(models[name], together))
        report.progress((number + 1) / singles, f"Timed round {number + 1} of {singles}")
    count = min(BATCH_ROWS, len(rows))
    return {name: _speed(alone_times[name], batch_times[name], count) for name in names}


def machine() -> dict[str, Any]:
    """Return what the times hold for: the processor, the threads and the version of torch."""
    import torch

    return {"machine": _processor(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def _speed(alone: Sequence[float], together: Sequence[float], rows: int) -> Speed:
    middle, late = (float(1000 * np.quantile(alone, q)) for q in (0.5, 0.95))
    return Speed(middle, late, float(rows / np.median(together)))


def _work(loaded: "LoadedModel", rows: "pd.DataFrame") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the batches of one text and the batch of many that a model is to read."""
    from lmcore.tasks import load_task

    task = load_task(loaded.task).adapted(loaded.model.config)
    some = rows.head(max(SINGLES, BATCH_ROWS))
    encodings = task.encode(loaded.tokenizer, some, loaded.max_length, loaded.labels)
    alone = [task.collate(loaded.tokenizer, encodings, [i]) for i in range(min(SINGLES, len(encodings)))]
    many = np.flatnonzero(encodings.owners < BATCH_ROWS)
    return alone, task.collate(loaded.tokenizer, encodings, many.tolist())


def _time(loaded: "LoadedModel", batch: Mapping[str, Any]) -> float:
    """Return the seconds of one pass."""
    import torch

    with torch.inference_mode():
        started = time.perf_counter()
        loaded.model(**batch)
        return time.perf_counter() - started


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
