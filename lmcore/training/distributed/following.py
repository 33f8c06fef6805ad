"""Following a run on several processes from outside: its progress, its metrics, its end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from lmcore.errors import Cancelled, JobError
from lmcore.training.distributed.rundir import RunFolder
from lmcore.types import Report

POLL_SECONDS = 0.25
Said = tuple[float, str] | None


def follow_run(
    folder: RunFolder,
    report: Report,
    running: Callable[[], bool],
    stop: Callable[[], None],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Pass on what a run reports until it ends, and return what it made.

    Args:
        folder: the run's folder.
        report: where its progress and metrics go, and who may ask it to stop.
        running: whether it still runs; called again and again.
        stop: ends it where it does not do so by itself; called again and again once a stop was asked for.
        pause: waits for some seconds.

    Raises:
        Cancelled: it was asked to stop, and has.
        JobError: it failed; the message is the reason of the process that failed first.
    """
    place, asked = 0, False
    told: Said = None
    while True:
        goes_on = running()  # asked before the files are read, so that nothing said last is missed
        place, told = _pass_on(folder, report, place, told)
        if not goes_on:
            return _outcome(folder, asked)
        try:
            report.check()
        except Cancelled:
            if not asked:
                folder.stop()
            asked = True
        if asked:
            stop()
        pause(POLL_SECONDS)


def _pass_on(folder: RunFolder, report: Report, place: int, told: Said) -> tuple[int, Said]:
    """Pass on what is new; what is said twice would make a run that hangs look as if it went on."""
    records, place = folder.metrics(place)
    for step, values in records:
        report.metrics(step, values)
    said = folder.progress()
    if said and said != told:
        report.progress(*said)
    return place, said


def _outcome(folder: RunFolder, asked: bool) -> dict[str, Any]:
    result: Mapping[str, Any] | None = folder.result()
    if result is not None:
        return dict(result)
    failure = folder.failure()
    if asked:
        raise Cancelled("Training was stopped; its last checkpoint is kept, and the run can be resumed.") from failure
    if isinstance(failure, Cancelled) or failure is None:
        said = folder.progress()
        raise JobError(
            f"The workers ended without a word (killed, or out of memory) at {said[0] if said else 0:.0%} of the work: the "
            "log may say why, and the run can be resumed from its last checkpoint."
        )
    raise failure
