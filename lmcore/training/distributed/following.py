"""Following a run on several processes from outside: its progress, its metrics, its end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from lmcore.errors import Cancelled, JobError
from lmcore.training.distributed.rundir import RunFolder
from lmcore.types import Report

POLL_SECONDS = 0.25
STALLED_SECONDS = 3600
Said = tuple[float, str] | None


class HangingWorkers(JobError):
    """The workers of a run do nothing any more."""


def follow_run(
    folder: RunFolder,
    report: Report,
    running: Callable[[], bool],
    stop: Callable[[], None],
    *,
    stalled_seconds: float = STALLED_SECONDS,
    begun: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Pass on what a run reports until it ends, and return what it made.

    Args:
        folder: the run's folder.
        report: where its progress and metrics go, and who may ask it to stop.
        running: whether it still runs; called again and again.
        stop: ends it where it does not do so by itself; called again and again once a stop was asked for.
        stalled_seconds: how long they may say nothing new before they are taken to hang.
        begun: whether they are to be expected to say anything yet.
        clock: seconds that only grow.
        pause: waits for some seconds.

    Raises:
        Cancelled: it was asked to stop, and has.
        HangingWorkers: they have said nothing new for too long; whoever called has to end them.
        JobError: it failed; the message is the reason of the process that failed first.
    """
    place, asked = 0, False
    told: Said = None
    heard = clock()
    while True:
        goes_on = running()  # asked before the files are read, so that nothing said last is missed
        before = place, told
        place, told = _pass_on(folder, report, place, told)
        if (place, told) != before or not begun():
            heard = clock()
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
        if clock() - heard > stalled_seconds:
            doing = f" while they said {told[1]!r}" if told and told[1] else ""
            raise HangingWorkers(
                f"The workers did nothing for {stalled_seconds / 60:.0f} minutes{doing}, and were ended; resume the job to "
                "go on from its last checkpoint."
            )
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
