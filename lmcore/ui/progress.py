"""Progress of work that a page waits for."""

import contextvars
import time
from collections.abc import Mapping
from types import TracebackType

import streamlit as st

SECONDS = 0.1


class PageReport:
    """A `Report` that draws a progress bar for the length of a ``with`` block.

    Leaving the page or touching a widget stops the script, and with it the work, at the next time that the bar is drawn: ten
    times a second at most, so that work in small steps is not slowed by telling of them.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._place = st.empty()
        self._drawn = -SECONDS
        # What a cached function draws is recorded and drawn again on a hit; what is drawn in this context is not.
        self._context = contextvars.copy_context()

    def __enter__(self) -> "PageReport":
        self.progress(0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._place.empty()

    def progress(self, fraction: float, message: str = "") -> None:
        """Move the bar."""
        now = time.monotonic()
        if fraction < 1 and now < self._drawn + SECONDS:
            return
        self._drawn = now
        self._context.run(self._place.progress, min(max(fraction, 0.0), 1.0), text=message or self._label)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing: a page draws results, not measurements on the way."""

    def check(self) -> None:
        """Go on; Streamlit itself stops the script."""
