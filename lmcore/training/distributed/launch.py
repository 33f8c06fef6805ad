"""Starting the processes of a run on this machine.

They are what ``torchrun --nproc-per-node`` would start, without a process more: in the group of the caller, so that what
ends a job ends them too.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lmcore
from lmcore.errors import ResourceError
from lmcore.training.distributed.following import STALLED_SECONDS, follow_run
from lmcore.training.distributed.rundir import Plan, RunFolder
from lmcore.types import Report

LAST_WORDS_SECONDS = 20.0
STOP_SECONDS = 300.0
_LOOPBACK = "127.0.0.1"
_STDERR = 2  # the standard output of a command is kept free for its answer


def run_here(
    plan: Plan, folder: RunFolder, report: Report, *, stalled_seconds: float = STALLED_SECONDS
) -> dict[str, Any]:
    """Run a plan in processes of this machine and follow them.

    Args:
        plan: what they are to do.
        folder: where they and this process speak to each other.
        report: progress, metrics and cancellation.
        stalled_seconds: how long they may say nothing before they are taken to hang, and ended.

    Returns:
        What `lmcore.training.fit.TrainResult.to_dict` returns.

    Raises:
        ResourceError: the system refuses new processes.
        Cancelled: the report asked to stop; the last checkpoint is kept.
        JobError: it failed or hangs; the message says why.
    """
    folder.begin(plan)
    processes = _Processes(folder, plan.workers)
    try:
        return follow_run(folder, report, processes.run, processes.stop_late, stalled_seconds=stalled_seconds)
    finally:
        processes.end()


class _Processes:
    """The processes of one run; when one ends, the others get a moment for their last words and then end as well."""

    def __init__(self, folder: RunFolder, size: int) -> None:
        port = _free_port()
        self._running: list[subprocess.Popen[bytes]] = []
        self._deadline: float | None = None
        try:
            for rank in range(size):
                self._running.append(_start(folder, _environment(rank, size, port)))
        except OSError as error:
            self.end()
            raise ResourceError(
                f"{size} worker processes cannot be started ({error.strerror}): take fewer, or free memory."
            ) from error

    def run(self) -> bool:
        """Whether any still runs."""
        codes = [process.poll() for process in self._running]
        if any(code for code in codes) and self._deadline is None:
            self._deadline = time.monotonic() + LAST_WORDS_SECONDS
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.end()
        return any(process.poll() is None for process in self._running)

    def stop_late(self) -> None:
        """Give them time to write a checkpoint before they are ended."""
        if self._deadline is None:
            self._deadline = time.monotonic() + STOP_SECONDS

    def end(self) -> None:
        """End those that still run."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self._running:
            process.wait()


def _start(folder: RunFolder, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "lmcore.training.distributed.work", str(folder.path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=_STDERR, env=environment)


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    package = str(
        Path(lmcore.__file__).absolute().parent.parent
    )  # -P leaves out the folder that it may be imported from
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != package]
    threads = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // size))}
    return (
        threads
        | os.environ
        | {
            "PYTHONPATH": os.pathsep.join([package, *paths]),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": _LOOPBACK,
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
        }
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_LOOPBACK, 0))
        return int(found.getsockname()[1])
