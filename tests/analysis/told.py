"""What every analysis that takes a report owes it."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from lmcore.errors import Cancelled
from lmcore.types import Report, Silent

Found = TypeVar("Found")


class Told(Silent):
    """Keeps the shares that it is told, and asks to stop once one is reached."""

    def __init__(self, stop_at: float = 2.0) -> None:
        self.shares: list[float] = []
        self._stop_at = stop_at

    def progress(self, fraction: float, message: str = "") -> None:
        assert message
        self.shares.append(fraction)

    def check(self) -> None:
        if self.shares and self.shares[-1] >= self._stop_at:
            raise Cancelled("Stopped.")


def rises_and_stops(work: Callable[[Report], Found], *, stop_at: float = 0.3) -> Found:
    """Check that the progress rises to 1 in several steps, and that the work stops in the middle when it is asked to.

    Returns:
        What the work found when nobody stopped it.
    """
    told, stopped = Told(), Told(stop_at)
    found = work(told)
    assert told.shares == sorted(told.shares)
    assert len(set(told.shares)) > 1
    assert told.shares[0] >= 0
    assert told.shares[-1] == pytest.approx(1)
    with pytest.raises(Cancelled):
        work(stopped)
    assert stop_at <= stopped.shares[-1] < 1
    return found
