"""A process of a run of several in which something goes wrong; its arguments are the run's folder and what that is."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lmcore.errors import StorageError
from lmcore.training import watch
from lmcore.training.distributed import work as distributed
from lmcore.training.distributed.rundir import FolderReport

STOPPED_AT = 8


def second_is_killed() -> None:
    """Let the second process end without a word when it would save."""
    if os.environ["RANK"] == "1":
        watch.Watch.on_save = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]


def disk_is_full() -> None:
    """Let no checkpoint be saved."""

    def refuse(root: Path, step: int) -> None:
        raise StorageError("The disk is full, checkpoint-5 was not saved.")

    watch.complete = refuse


def leader_waits() -> None:
    """Let the leader wait after its eighth step until the run is to stop: small models are quicker than that."""
    told = FolderReport.metrics

    def tell(self: FolderReport, step: int, values: Mapping[str, float]) -> None:
        told(self, step, values)
        while step == STOPPED_AT and not self._folder.is_stopped():
            time.sleep(0.01)

    FolderReport.metrics = tell  # type: ignore[method-assign]


SABOTAGE: dict[str, Callable[[], None]] = {"killed": second_is_killed, "full": disk_is_full, "stopped": leader_waits}

if __name__ == "__main__":
    SABOTAGE[sys.argv[2]]()
    sys.exit(distributed.main(sys.argv[1:2]))
