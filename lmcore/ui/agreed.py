"""Work whose cost is said first: what is slow begins at a click and can be stopped."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from lmcore.types import Report
from lmcore.ui.progress import PageReport

Found = TypeVar("Found")


def agreed(label: str, key: str, said: str, *, slow: bool, work: Callable[[Report], Found]) -> Found | None:
    """Say what some work costs, and do it: at once, or after a click where it is slow.

    Args:
        label: of the button and the progress bar.
        key: tells this work from any other, unique on the page.
        said: what it costs.
        slow: whether to wait for the click.
        work: what is done; it is told where to report. It keeps its own results.

    Returns:
        What it found; None while nobody has asked for it.
    """
    asked: set[str] = st.session_state.setdefault("agreed", set())
    st.caption(said)
    if slow and key not in asked:
        if not st.button(label, key=f"agreed_{key}", icon=":material/play_arrow:"):
            return None
        asked.add(key)
    place = st.empty()
    with place.container():
        if slow and st.button("Stop", key=f"stop_{key}", icon=":material/stop_circle:"):
            asked.discard(key)
            st.rerun()
        try:
            with PageReport(label) as report:
                found = work(report)
        finally:
            place.empty()
    return found
