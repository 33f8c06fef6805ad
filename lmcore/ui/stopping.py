"""Work that a page waits for: what it costs is said first, what is slow begins at a click, and it can be stopped."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

from lmcore.errors import LmError
from lmcore.types import Report
from lmcore.ui.progress import PageReport

Found = TypeVar("Found")
START, STOP = ":material/play_arrow:", ":material/stop_circle:"


def stoppable(label: str, key: str, work: Callable[[Report], Found]) -> Found | None:
    """Do some work at once, beside a progress bar and a button that stops it.

    Args:
        label: what is done, while there is nothing else to say.
        key: unique on the page.
        work: what is done; it is told where to report. It keeps its own results.

    Returns:
        What it found; None, with a sentence, where it was stopped.
    """
    return _beside_stop(label, f"{key}_stop", work, lambda: _say_stopped(key))


def agreed(label: str, key: str, said: str, *, slow: bool, work: Callable[[Report], Found]) -> Found | None:
    """Say what some work costs, and do it beside a button that stops it: at once, or after a click where it is slow.

    Args:
        label: of the button and the progress bar.
        key: tells this work from any other, unique on the page.
        said: what it costs.
        slow: whether to wait for the click.
        work: what is done; it is told where to report. It keeps its own results.

    Returns:
        What it found; None while nobody has asked for it, or where it was stopped.
    """
    asked: set[str] = st.session_state.setdefault("agreed", set())
    st.caption(said)
    if not slow:
        return stoppable(label, f"now_{key}", work)
    if key not in asked:
        if not st.button(label, key=f"agreed_{key}", icon=START):
            return None
        asked.add(key)

    def forget() -> None:
        asked.discard(key)
        st.rerun()

    return _beside_stop(label, f"stop_{key}", work, forget)


def begun(
    label: str, doing: str, key: str, said: str, *, wanted: Hashable, work: Callable[[Report], Found]
) -> Found | None:
    """Say what some work costs, and do it once its button was pressed; the button stays, and another choice needs it again.

    Args:
        label: of the button.
        doing: of the progress bar.
        key: unique on the page.
        said: what it costs.
        wanted: what would be done; another one has to be begun anew.
        work: what is done; it is told where to report. It keeps its own results.

    Returns:
        What it found; None while nobody has asked for it, or where it was stopped.
    """
    st.caption(said)
    if st.button(label, key=key, icon=START, type="primary"):
        st.session_state[f"{key}_begun"] = wanted
    if st.session_state.get(f"{key}_begun") != wanted:
        return None
    return stoppable(doing, key, work)


def _beside_stop(label: str, key: str, work: Callable[[Report], Found], stopped: Callable[[], None]) -> Found | None:
    """Do some work beside a bar and a button that stops it; both are gone when it is done."""
    place = st.empty()
    with place.container():
        if st.button("Stop", icon=STOP, key=key):
            stopped()
            return None
        try:
            with PageReport(label) as report:
                found = work(report)
        except LmError:
            place.empty()
            raise
    place.empty()
    return found


def _say_stopped(key: str) -> None:
    st.info("Stopped: nothing was kept.")
    st.button("Start again", icon=START, key=f"{key}_again")
