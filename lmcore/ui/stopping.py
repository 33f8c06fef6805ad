"""Work that a page waits for, with a bar and a way to stop it."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from lmcore.errors import LmError
from lmcore.types import Report
from lmcore.ui.progress import PageReport

Found = TypeVar("Found")


def stoppable(label: str, key: str, work: Callable[[Report], Found]) -> Found | None:
    """Do some work beside a progress bar and a button that stops it.

    Args:
        label: what is done, while there is nothing else to say.
        key: unique on the page.
        work: what is done; it is told where to report.

    Returns:
        What it found; None, with a sentence, where it was stopped.
    """
    place = st.empty()
    with place.container():
        if st.button("Stop", icon=":material/stop_circle:", key=f"{key}_stop"):
            st.info("Stopped: nothing was kept.")
            st.button("Start again", icon=":material/play_arrow:", key=f"{key}_again")
            return None
        try:
            with PageReport(label) as report:
                found = work(report)
        except LmError:
            place.empty()
            raise
    place.empty()
    return found
