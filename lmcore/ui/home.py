"""Pieces of the Home page: stage cards, the demo and the reset."""

import streamlit as st

from lmcore import demo
from lmcore.jobs import JobState
from lmcore.overview import StageState
from lmcore.settings import MIB
from lmcore.ui import access, cache
from lmcore.ui.jobs import watch_job
from lmcore.ui.page import Stage

_MARKS = {
    "empty": (":material/radio_button_unchecked:", "gray", "nothing yet"),
    "ready": (":material/check_circle:", "green", "ready"),
    "running": (":material/play_circle:", "blue", "running"),
    "attention": (":material/error:", "orange", "look here"),
}
_DEMO_BYTES = 1200 * MIB


def stage_card(stage: Stage, state: StageState) -> None:
    """Draw one stage: its state, its verdict and a link to the next step."""
    icon, color, word = _MARKS[state.condition]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container():
            st.markdown(f"**{stage.icon} {stage.title}** :{color}-badge[{icon} {word}]")
            st.markdown(state.verdict)
            st.caption(f"Next: {state.next_step}")
        st.page_link(
            stage.file,
            label=f"Open {stage.title}",
            icon=":material/arrow_forward:",
            query_params=dict(state.choices),
            width="content",
        )


def demo_offer(empty: bool) -> None:
    """Offer the demo in an empty workspace, and show it while it runs or after it failed."""
    jobs = cache.board().list(kind="demo", limit=1)
    latest = jobs[0] if jobs else None
    if latest is not None and latest.state in {JobState.QUEUED, JobState.RUNNING, JobState.FAILED}:
        watch_job(latest.id)
        return
    if latest is not None and latest.result and not empty:
        with st.expander("What the demo found", icon=":material/lightbulb:"):
            st.markdown("\n".join(f"- {sentence}" for sentence in latest.result["sentences"]))
    if not empty:
        return
    with st.container(border=True):
        st.markdown(
            "**This workspace is empty.** Open the demo to fill it with a customer-feedback sample: cleaned, split, trained, "
            "explained and mapped in about a minute, or begin with your own texts on the Data page."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            if access.button("Open the demo", action="start_demo", type="primary", icon=":material/play_arrow:"):
                cache.board().submit(demo.TARGET, {}, title="Demo", kind="demo", needs_bytes=_DEMO_BYTES)
                st.rerun()
            st.page_link("pages/1_Data.py", label="Begin with your own texts", icon=":material/upload_file:")


def reset_control() -> None:
    """Offer to empty the workspace, after a second look."""
    with st.popover("Reset", icon=":material/delete_sweep:"):
        root = cache.settings().workspace.root
        st.markdown(
            f"This deletes every data set, model, run, map and record in `{root}` and stops the prediction server."
        )
        sure = st.checkbox("I want to delete all of it", key="home_reset_sure")
        if access.button(
            "Delete everything", action="reset", type="primary", disabled=not sure, icon=":material/delete_forever:"
        ):
            cache.reset()
            st.rerun()
