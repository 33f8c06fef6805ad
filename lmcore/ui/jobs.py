"""Starting a job and watching it: state, live curves, log, cancel and resume."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lmcore.jobs import Job, JobState
from lmcore.settings import MIB
from lmcore.ui import access, show
from lmcore.ui.cache import board
from lmcore.ui.page import shown_errors

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion

REFRESH_SECONDS = 1.0
PROCESS_BYTES = 700 * MIB
_ICONS = {
    JobState.QUEUED: ":material/schedule:",
    JobState.RUNNING: ":material/play_circle:",
    JobState.DONE: ":material/check_circle:",
    JobState.FAILED: ":material/error:",
    JobState.CANCELLED: ":material/cancel:",
}


def watch_job(job_id: str, curves: Callable[[pd.DataFrame], None] | None = None) -> None:
    """Draw a job that is looked at again every second until it ends; then the whole page is run once more.

    Args:
        job_id: which job.
        curves: draws the metrics recorded so far (columns ``step``, ``time``, ``name``, ``value``).
    """
    ended = board().get(job_id).state.ended

    @st.fragment(run_every=None if ended else REFRESH_SECONDS)
    def watch() -> None:
        with shown_errors():
            job = board().get(job_id)
            _draw(job)
            if curves:
                metrics = board().metrics_frame(job_id)
                if not metrics.empty:
                    curves(metrics)
            _draw_log(job)
            if job.state.ended and not ended:
                st.rerun()

    watch()


def as_job(
    target: str,
    config: Mapping[str, Any],
    title: str,
    kind: str,
    label: str,
    key: str,
    *,
    needs: Callable[[], int],
    same: Mapping[str, Any] | None = None,
    curves: Callable[[pd.DataFrame], None] | None = None,
) -> Job | None:
    """Draw the button that starts a job, or the newest job with the same configuration; returns that job.

    Args:
        target: what the worker runs.
        config: its configuration.
        title: what pages call the job.
        kind: its kind.
        label: of the button.
        key: unique on the page.
        needs: tells how many bytes of memory it will take; asked when it is started.
        same: the part of the configuration by which the job is known again; the whole where None.
        curves: draws what the job has recorded so far.
    """
    wanted = same if same is not None else config
    jobs = [job for job in board().list(kind=kind) if _holds(job.config, wanted)]
    latest = jobs[0] if jobs else None
    if latest is not None and latest.state is not JobState.DONE:
        watch_job(latest.id, curves)
    if (latest is None or latest.state.ended) and access.button(
        label, action="start_job", key=key, icon=":material/play_arrow:", type="primary"
    ):
        board().submit(target, config, title=title, kind=kind, needs_bytes=needs())
        st.rerun()
    return latest


def running_bytes(version: "ModelVersion") -> int:
    """Return about how much memory a process takes that runs a version over texts."""
    weights = sum(path.stat().st_size for path in version.folder.glob("*.safetensors"))
    return PROCESS_BYTES + 2 * weights


def _draw(job: Job) -> None:
    st.markdown(f"{_ICONS[job.state]} **{job.title}** · {job.state}{_duration(job)}")
    if not job.state.ended:
        st.progress(min(max(job.progress, 0.0), 1.0), text=job.message or "Waiting to begin")
    elif job.state is JobState.FAILED:
        st.error(job.error, icon=":material/error:")
    elif job.state is JobState.CANCELLED:
        st.info("This job was cancelled; what it saved before is kept.", icon=":material/cancel:")
    if job.silent_seconds:
        st.warning(f"The worker has not been heard from for {job.silent_seconds:.0f} seconds.")
    if not job.state.ended:
        asked = job.cancel_requested is not None
        label = "Stopping …" if asked else "Cancel"
        action = board().cancelling(job)
        if access.button(label, action=action, key=f"cancel_{job.id}", icon=":material/stop_circle:", disabled=asked):
            board().cancel(job.id)
            st.rerun()
    elif job.can_resume or job.deleting:
        if job.deleting:
            st.info("Its deletion has begun. Where that was broken off, delete it again.", icon=":material/delete:")
        with st.container(horizontal=True):
            if job.can_resume:
                _offer_resuming(job)
            _offer_deletion(job)


def _offer_resuming(job: Job) -> None:
    if access.button("Resume", action="resume_job", key=f"resume_{job.id}", icon=":material/replay:", type="primary"):
        board().resume(job.id)
        st.rerun()


def _offer_deletion(job: Job) -> None:
    """Let a job that failed or was cancelled be forgotten, rather than gone on with."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(
            "Its log, curves and checkpoints of its own go, and it cannot be resumed; versions that it registered will stay. "
            + board().leaves(job.id)
        )
        force = bool(job.config.get("cluster")) and st.checkbox(
            "Even if the cluster does not answer", key=f"force_{job.id}",
            help="What may still run there is stopped first. Where the cluster is gone for good, delete the job without that.",
        )  # fmt: skip
        if access.button("Delete this job", action="delete_job", key=f"delete_{job.id}"):
            board().delete(job.id, force=force)
            st.rerun()


def _draw_log(job: Job) -> None:
    with st.expander("Log", icon=":material/terminal:"):
        st.code(board().log(job.id, tail_bytes=8192) or "Nothing logged yet.", language=None, height=200)
        by = f", submitted by {show.plain(job.submitted_by)}" if job.submitted_by else ""
        st.caption(f"Job {job.id}, attempt {job.attempt}{by}")


def _duration(job: Job) -> str:
    if not job.started:
        return ""
    seconds = (job.ended or time.time()) - job.started
    return f" · {seconds:.0f} s" if seconds < 120 else f" · {seconds / 60:.1f} min"


def _holds(config: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    return all(config.get(name) == value for name, value in part.items())
