"""The frame of every page: title, navigation, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from lmcore import __version__
from lmcore.errors import LmError
from lmcore.garbage import collect_seldom
from lmcore.ui.cache import board, machine, settings
from lmcore.ui.signin import account, gate, may_read


@dataclass(frozen=True, slots=True)
class Stage:
    """A page: its file, its title, its icon and what one does there."""

    file: str
    title: str
    icon: str
    purpose: str


STAGES = (
    Stage(
        "pages/1_Data.py",
        "Data",
        ":material/table_view:",
        "Bring texts in, see what is wrong with them, clean and split them.",
    ),
    Stage(
        "pages/2_Train.py",
        "Train",
        ":material/model_training:",
        "Train a model on your data and see how good it really is.",
    ),
    Stage(
        "pages/3_Analyse.py",
        "Analyse",
        ":material/troubleshoot:",
        "Look inside the model: why this answer to this text?",
    ),
    Stage(
        "pages/4_Visualise.py",
        "Visualise",
        ":material/scatter_plot:",
        "See the map of what the model makes of your texts.",
    ),
    Stage(
        "pages/5_Operate.py",
        "Operate",
        ":material/deployed_code:",
        "Put a version to work and watch it.",
    ),
)
HOME = Stage("Home.py", "Home", ":material/home:", "")
# Drawn here: a browser would fetch the icon of a Material symbol from another host.
_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#458fc6" stroke-width="2.4" '
    'stroke-linecap="round"><path d="M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5"/><circle cx="11" cy="11" r="4"/>'
    '<path d="m14 14 3 3"/></svg>'
)


def open_page(title: str) -> None:
    """Configure the page, let in whoever may read it, draw its header and the navigation; the first call of every page."""
    collect_seldom()
    stage = next((s for s in STAGES if s.title == title), HOME)
    st.set_page_config(page_title=f"{stage.title} · LMScope", page_icon=_FAVICON, layout="wide")
    gate(machine, stage.file, HOME.file)
    _navigation()
    if stage is not HOME:
        st.title(stage.title)
        st.caption(stage.purpose)


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show an `LmError` as one sentence on the page instead of a traceback.

    A fragment runs again without the beginning of its page: for a person who may not read any more the whole page begins
    anew, and ends at its gate.
    """
    try:
        may_read(settings())
    except LmError:
        st.rerun()
    try:
        yield
    except LmError as error:
        st.error(str(error), icon=":material/error:")


def empty_state(sentence: str, *, label: str = "", page: str = "", icon: str = ":material/inbox:") -> None:
    """Say why there is nothing to see yet, with a link to where that changes."""
    with st.container(border=True):
        st.markdown(f"{icon} {sentence}")
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")


def _navigation() -> None:
    with st.sidebar:
        st.page_link(HOME.file, label="LMScope", icon=":material/frame_inspect:")
        for stage in STAGES:
            st.page_link(stage.file, label=stage.title, icon=stage.icon)
        st.divider()
        with shown_errors():
            running = [job for job in board().list(limit=20) if job.state in {"queued", "running"}]
            for job in running:
                st.progress(min(max(job.progress, 0.0), 1.0), text=f"{job.title}: {job.state}")
            if not running:
                st.caption("No job is running.")
            st.caption(f"Workspace: {settings().workspace.root}")
            account(settings())
        st.caption(f"LMScope {__version__}")
