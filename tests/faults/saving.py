"""Train in child processes that kill themselves at one of the things that a save does: run by `test_saving`.

``python -m tests.faults.saving HOME ROWS MODEL EVERY`` prints one JSON line a child that was killed: what it was about to
do, and whether the run, once resumed, gave what an uninterrupted one gives.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers

from lmcore.data.dataset import TextDataset
from lmcore.settings import Settings
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.full import fit_full
from lmcore.training.trained import TrainJob
from lmcore.types import Silent

STEPS = 6  # of an epoch
OPTIONS: dict[str, Any] = {"method": "full", "epochs": 3, "batch_size": 16, "learning_rate": 5e-3, "save_steps": 4}
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


class Losses(Silent):
    """Keeps what was reported last at each step."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def metrics(self, step: int, values: Any) -> None:
        """Keep them."""
        self.values |= {f"{step} {name}": value for name, value in values.items()}


class Killer:
    """Ends the process at the n-th thing that is done to a file of the run in or after its second epoch."""

    def __init__(self, scratch: Path, at: int, told: int) -> None:
        self.scratch, self.left, self.told = str(scratch), at, told
        self.armed = False

    def listen(self) -> None:
        """Hear of what Python does to files, and of what the writers of tensors do, before and in the middle of it."""
        sys.addaudithook(self.hear)
        for module, name in ((torch, "save"), (transformers.modeling_utils, "safe_save_file")):
            setattr(module, name, self.halfway(getattr(module, name), name))
        import safetensors.torch

        safetensors.torch.save_file = self.halfway(safetensors.torch.save_file, "save_file")  # type: ignore[assignment]

    def hear(self, event: str, given: tuple[Any, ...]) -> None:
        """Count an event that is about a file of the run."""
        if self.armed and event in EVENTS and str(given[0]).startswith(self.scratch):
            if event == "open" and not (isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)):
                return
            self.count(f"{event} {Path(str(given[0])).name}")

    def count(self, what: str) -> None:
        """Count one thing that is done, and end at the one that was asked for."""
        self.left -= 1
        if self.left < 0:
            os.write(self.told, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def halfway(self, save: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a writer of tensors that may end when its file is half written."""

        def saving(tensors: Any, path: Any, *rest: Any, **named: Any) -> Any:
            done = save(tensors, path, *rest, **named)
            if self.armed and self.left == 0 and str(path).startswith(self.scratch):
                os.truncate(path, os.path.getsize(path) // 2)
            if self.armed and str(path).startswith(self.scratch):
                self.count(f"{name} {Path(str(path)).name}")
            return done

        return saving


class Arming(Losses):
    """Arms a killer when the second epoch has begun."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self.killer = killer

    def metrics(self, step: int, values: Any) -> None:
        """Keep them; the first save of the second epoch and its end are what is watched."""
        super().metrics(step, values)
        self.killer.armed = STEPS < step <= 2 * STEPS


def train(
    data: TextDataset, model: str, home: Path, scratch: Path, report: Losses, *, resume: bool
) -> dict[str, float]:
    """Train once; returns what was reported and a figure of the weights."""
    config = TrainConfig("topics", model=model, **OPTIONS).checked()
    task, settings = (
        load_task(config.task),
        Settings.from_environment({"LMSCOPE_HOME": str(home), "LMSCOPE_DEVICE": "cpu"}),
    )
    scratch.mkdir(parents=True, exist_ok=True)
    rows, dev = data.part("train"), data.part("dev")
    trained = fit_full(TrainJob(config, task, rows, dev, task.labels(rows.frame), settings, scratch, resume, report))
    weights = sum(float(tensor.double().abs().sum()) for tensor in trained.model.parameters())
    return report.values | {"weights": weights, "epoch": float(trained.choices["epoch"])}


def in_child(work: Callable[[int], dict[str, float] | None]) -> tuple[int, str]:
    """Run something in a child process; returns how it ended and what it wrote."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        found = work(writing)
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def main(home: str, rows: str, model: str, every: str) -> None:
    """Kill children at every n-th thing that saves do, until one is left alive."""
    torch.set_num_threads(1)
    data = TextDataset("topics", "text-classification", pd.read_parquet(rows))
    place = Path(home)

    def run(scratch: Path, report: Losses, resume: bool) -> dict[str, float]:
        return train(data, model, place, scratch, report, resume=resume)

    _, said = in_child(lambda told: run(place / "whole", Losses(), False))
    wanted = json.loads(said)
    for at in count(0, int(every)):
        scratch = place / f"killed-{at}"

        def killed(told: int, at: int = at, scratch: Path = scratch) -> dict[str, float]:
            killer = Killer(scratch, at, told)
            killer.listen()
            return run(scratch, Arming(killer), False)

        code, what = in_child(killed)
        if code == 0:
            return
        _, said = in_child(lambda told, scratch=scratch: run(scratch, Losses(), True))
        found = json.loads(said) if said else {}
        far = [n for n, value in found.items() if abs(value - wanted[n]) > (1e-4 if n == "weights" else 1e-6)]
        print(json.dumps({"at": at, "code": code, "what": what, "steps": len(found), "far": far}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
