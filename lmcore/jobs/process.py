"""Worker processes: starting them detached, telling them from others, and ending them."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

import lmcore

# The system reckons a start time from the time of its boot, which a correction of the clock moves a little.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process by its number and start time, so that a number used again is not taken for it.

    Attributes:
        pid: process number.
        started: when it started, in Unix seconds.
    """

    pid: int
    started: float

    def is_own(self) -> bool:
        """Whether it is the calling process."""
        return self.pid == os.getpid() and self.alive()

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return self._process() is not None

    def resident_bytes(self) -> int:
        """Return the memory it holds, or 0 when it has ended."""
        process = self._process()
        try:
            return int(process.memory_info().rss) if process else 0
        except psutil.Error:
            return 0

    def ended_within(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; say whether it has."""
        process = self._process()
        try:
            if process:
                process.wait(seconds)
        except psutil.TimeoutExpired:
            return not self.alive()
        return True

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM)."""
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """End it and every process of its group at once (SIGKILL)."""
        if self.alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start_worker(root: Path, job_id: str, jobs_at_once: int, log_file: Path) -> ProcessId:
    """Start a detached worker: a session of its own, its output in a file, so that it outlives the caller.

    Args:
        root: the workspace folder.
        job_id: the job to run.
        jobs_at_once: how many jobs may run side by side when the worker starts the next one at its end.
        log_file: the file that its output is added to; the folder becomes the working directory.

    Raises:
        OSError: the log cannot be written, or the system refuses a new process.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # -P keeps files of the working directory from being imported in place of real modules.
    command = [sys.executable, "-P", "-m", "lmcore.jobs.worker", str(root.absolute()), job_id, str(jobs_at_once)]
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=log_file.parent,
            env=child_environment(),
            start_new_session=True,
        )
    started = psutil.Process(child.pid).create_time()
    # A parent that lives on has to collect its ended children; a parent that ends leaves that to the system.
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
    return ProcessId(child.pid, started)


def child_environment() -> dict[str, str]:
    """Return the environment of a process of LMScope's own: this one's, with the package where it can be imported."""
    package = str(Path(lmcore.__file__).absolute().parent.parent)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != package]
    # Threads that wait by spinning take the cores from one another where several processes compute: four times the
    # processor time a served request was measured. The owner's own setting goes before.
    waiting = {"OMP_WAIT_POLICY": "PASSIVE"}
    return (
        waiting
        | os.environ
        | {
            "PYTHONPATH": os.pathsep.join([package, *paths]),
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
    )
