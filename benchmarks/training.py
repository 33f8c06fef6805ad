"""A training step beside a bare PyTorch loop, and batches of like length beside padding to 128, in one run.

All sides fine-tune all-MiniLM-L6-v2 on the same SST-2 sentences (those of the bundled sample where ``../shared/data`` is
absent) with AdamW, a linear schedule and clipped gradients. They take turns; what is compared is the median time of a step,
or the time of all steps. Run: ``python -m benchmarks.training --out out.json``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.analysis import MODEL, read_rows
from lmcore.data.dataset import TextDataset
from lmcore.models.encode import Encodings, batch_of
from lmcore.models.start import StartModel
from lmcore.settings import Settings, Workspace
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.full import fit_full
from lmcore.training.sampling import LengthGroupedSampler
from lmcore.training.trained import TrainJob
from lmcore.training.weights import load_start
from lmcore.types import Silent

ROWS, DEV_ROWS, WARM_UP = 1920, 32, 5
CONFIG = TrainConfig("bench", model=MODEL, method="full", epochs=1, warmup=0.1, save_steps=10_000)


class Stopwatch(Silent):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def progress(self, fraction: float, message: str = "") -> None:
        """Note the time of a step's end."""
        if message.startswith("Step "):
            self.ends.append(time.perf_counter())


def make_job(scratch: Path, report: Silent) -> TrainJob:
    """Return a run on the first rows of the train split, which measures next to nothing on dev."""
    texts, classes = read_rows("train")
    labels = tuple(f"class {number}" for number in range(int(classes.max()) + 1))
    frame = pd.DataFrame({"text": texts, "label": [labels[k] for k in classes]}).head(ROWS)
    frame.insert(0, "id", range(len(frame)))
    train, dev = (TextDataset("bench", CONFIG.task, part) for part in (frame, frame.head(DEV_ROWS)))
    settings = Settings(Workspace(scratch / "home"), device="cpu")
    return TrainJob(CONFIG, load_task(CONFIG.task), train, dev, labels, settings, scratch, False, report)


def ours(job: TrainJob) -> list[float]:
    """Train with LMScope; returns the seconds of each step after the warm-up."""
    fit_full(job)
    return np.diff(job.report.ends)[WARM_UP:].tolist()  # type: ignore[attr-defined]


def bare(job: TrainJob, *, padded: bool) -> list[float]:
    """Train with a loop of a dozen lines over the same batches, or over rows as they come, padded to 128."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    start = load_start(job)
    rows = job.task.encode(start.tokenizer, job.train.frame, 128, job.labels)
    batches = _in_order(rows) if padded else _grouped(rows)
    optimizer = torch.optim.AdamW(start.model.parameters(), lr=CONFIG.learning_rate, weight_decay=CONFIG.weight_decay)
    schedule = get_linear_schedule_with_warmup(optimizer, round(0.1 * len(batches)), len(batches))
    start.model.train()
    ends = []
    for numbers in batches:
        batch = _padded(start, rows, numbers) if padded else batch_of(start.tokenizer, rows, numbers)
        start.model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(start.model.parameters(), CONFIG.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        ends.append(time.perf_counter())
    return np.diff(ends)[WARM_UP:].tolist()


def _grouped(rows: Encodings) -> list[list[int]]:
    order = list(LengthGroupedSampler(rows.lengths, CONFIG.batch_size, seed=CONFIG.seed))
    return [order[start : start + CONFIG.batch_size] for start in range(0, len(order), CONFIG.batch_size)]


def _in_order(rows: Encodings) -> list[list[int]]:
    order = np.random.default_rng(CONFIG.seed).permutation(len(rows)).tolist()
    return [order[start : start + CONFIG.batch_size] for start in range(0, len(order), CONFIG.batch_size)]


def _padded(start: StartModel, rows: Encodings, numbers: list[int]) -> dict[str, Any]:
    batch = batch_of(start.tokenizer, rows, numbers)
    padded = start.tokenizer.pad(
        {"input_ids": [rows.ids[number] for number in numbers]},
        padding="max_length",
        max_length=128,
        return_tensors="pt",
    )
    return batch | {name: padded[name] for name in ("input_ids", "attention_mask")}


def measure(rounds: int) -> dict[str, Any]:
    """Let the three sides take turns; returns their times and the ratios."""
    times: dict[str, list[list[float]]] = {"LMScope": [], "bare loop": [], "bare loop, padded to 128": []}
    for _ in range(rounds):
        for name, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                job = make_job(Path(folder), Stopwatch())
                found.append(ours(job) if name == "LMScope" else bare(job, padded="padded" in name))
    whole = {name: statistics.median(sum(steps) for steps in found) for name, found in times.items()}
    step = {name: statistics.median(statistics.median(steps) for steps in found) for name, found in times.items()}
    return {
        "rows": ROWS,
        "batch": CONFIG.batch_size,
        "seconds_of_all_steps": whole,
        "median_step": step,
        "every_run": {name: [sum(steps) for steps in found] for name, found in times.items()},
        "overhead": whole["LMScope"] / whole["bare loop"],
        "grouping": whole["bare loop, padded to 128"] / whole["LMScope"],
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    before = os.getloadavg()
    results = measure(arguments.rounds)
    results["machine"] = {"processors": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()}
    for name, seconds in results["seconds_of_all_steps"].items():
        print(f"{name:26s}{seconds:8.2f} s")
    print(f"time over the bare loop's     {results['overhead']:.3f} × (wanted: at most 1.05)")
    print(f"speed over padding to 128     {results['grouping']:.2f} × (wanted: at least 3)")
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
