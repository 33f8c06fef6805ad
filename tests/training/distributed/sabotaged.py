"""A process of a run of several in which something goes wrong; its arguments are the run's folder and what that is."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from lmcore.errors import StorageError
from lmcore.training import watch
from lmcore.training.distributed import work as distributed


def second_is_killed() -> None:
    """Let the second process end without a word when it would save."""
    if os.environ["RANK"] == "1":
        watch.Watch.on_save = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]


def disk_is_full() -> None:
    """Let no checkpoint be saved."""

    def refuse(root: Path, step: int) -> None:
        raise StorageError("The disk is full, checkpoint-5 was not saved.")

    watch.complete = refuse


SABOTAGE: dict[str, Callable[[], None]] = {"killed": second_is_killed, "full": disk_is_full}

if __name__ == "__main__":
    SABOTAGE[sys.argv[2]]()
    sys.exit(distributed.main(sys.argv[1:2]))
