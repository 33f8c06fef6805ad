"""Processes that train one model together: which of them this is, and how they agree.

Every process builds the same model and makes the same batches; of each batch it computes a part, and the gradients of the
parts add up to the batch's own (PyTorch's DistributedDataParallel). The first process, the leader, is the only one that
reports, measures, saves and registers.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from lmcore.errors import JobError, LmError, OptionError, StorageError

PATIENCE_HOURS = 24
_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LOST = ("Connection closed by peer", "Connection reset", "Broken pipe", "Connection refused", "gloo", "NCCL")


class LostWorker(JobError):
    """Another process of the run has ended."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes of a run, as one of them sees them.

    Attributes:
        rank: which of them this is, from 0.
        size: how many they are.
        here: how many of them are on this machine.
    """

    rank: int = 0
    size: int = 1
    here: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that reports, measures, saves and registers."""
        return self.rank == 0

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that does not give each process as many texts as the others.

        Raises:
            OptionError: it does not.
        """
        if batch_size % self.size:
            raise OptionError(
                f"{batch_size} texts in one step cannot be shared by {self.size} workers: take a batch size that is a "
                f"multiple of {self.size}."
            )

    def agree(self, flag: bool) -> bool:
        """Return whether any process says yes; all wait for the last one.

        Raises:
            LostWorker: another process has ended.
        """
        return bool(self._sum(int(flag)))

    def wait(self) -> None:
        """Wait until all processes are here.

        Raises:
            LostWorker: another process has ended.
        """
        self._sum(0)

    def hear(self, text: str = "") -> str:
        """Return what the leader says.

        Raises:
            LostWorker: another process has ended.
        """
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return text
        said = torch.frombuffer(bytearray(text.encode() or b"\0"), dtype=torch.uint8) if self.leads else None
        length = torch.tensor([0 if said is None else len(said)])
        with self.losses():
            dist.broadcast(length, src=0)
            heard = torch.empty(int(length), dtype=torch.uint8) if said is None else said
            dist.broadcast(heard, src=0)
        return bytes(heard.tolist()).rstrip(b"\0").decode()

    def check_shared(self, folder: Path) -> None:
        """Refuse a folder that is not the same one for every process.

        Raises:
            StorageError: a process does not see what the leader writes.
            LostWorker: another process has ended.
        """
        mark = folder / ".shared"
        if self.size == 1:
            return
        if self.leads:
            folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
        self.wait()
        missing = self.agree(not mark.exists())
        if self.leads:
            mark.unlink(missing_ok=True)
        if missing:
            raise StorageError(
                f"Not every worker sees {folder}: the workspace (LMSCOPE_HOME) must lie on storage that all machines of the "
                "run share under the same path."
            )

    @contextmanager
    def losses(self) -> Iterator[None]:
        """Turn what torch says when another process has gone into a `LostWorker` that says so in one sentence."""
        try:
            yield
        except LmError:
            raise
        except RuntimeError as error:
            if self.size == 1 or not any(text in str(error) for text in _LOST):
                raise
            raise LostWorker(
                f"Another of the {self.size} workers has ended, so that this one cannot go on: the log says why, and the "
                "run can be resumed from its last checkpoint."
            ) from error

    def _sum(self, number: int) -> int:
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return number
        total = torch.tensor([number])
        with self.losses():
            dist.all_reduce(total)
        return int(total)


ALONE = Workers()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is to be done.

    Attributes:
        workers: how many processes are started for it.
        cluster: whether on the Ray cluster of the settings rather than on this machine.
    """

    workers: int = 1
    cluster: bool = False

    @property
    def alone(self) -> bool:
        """Whether the process that is asked does it by itself."""
        return self.workers == 1 and not self.cluster


@contextmanager
def join_workers(device: str = "auto", environ: Mapping[str, str] | None = None) -> Iterator[Workers]:
    """Meet the other processes of a run that ``torchrun``, Ray Train or `lmcore.training.distributed.launch` started.

    Args:
        device: where it is computed; with CUDA the gradients travel by NCCL, otherwise by gloo.
        environ: where the launcher has written ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT`` and, where there are
            several on a machine, ``LOCAL_WORLD_SIZE``.

    Yields:
        The processes; one alone where nothing has launched several.

    Raises:
        LostWorker: another of them has ended before they met.
    """
    env = os.environ if environ is None else environ
    if any(not env.get(name) for name in _LAUNCHED) or env["WORLD_SIZE"] == "1":
        yield ALONE
        return
    import torch.distributed as dist

    from lmcore.models.load import pick_device

    met = dist.is_initialized()
    if not met:
        options: dict[str, Any] = {"rank": int(env["RANK"]), "world_size": int(env["WORLD_SIZE"])}
        backend = "gloo" if pick_device(device) == "cpu" else "cpu:gloo,cuda:nccl"
        try:
            dist.init_process_group(backend, timeout=timedelta(hours=PATIENCE_HOURS), **options)
        except RuntimeError as error:
            raise LostWorker(f"The {options['world_size']} workers did not all meet: one has ended before.") from error
    try:
        yield Workers(dist.get_rank(), dist.get_world_size(), int(env.get("LOCAL_WORLD_SIZE") or 1))
    finally:
        if not met:
            dist.destroy_process_group()
