"""Pieces of the Operate page: versions, the server's panel and what was served."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lmcore.charts import serving as charts
from lmcore.errors import LmError
from lmcore.serving import ServerState, ServingStats, read_stats, server_state, start_server, stop_server
from lmcore.tasks import TASKS
from lmcore.ui import access, cache, linked, show
from lmcore.ui.asking import key_hash
from lmcore.ui.page import empty_state, shown_errors

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion

REFRESH_SECONDS = 2.0
STATS_SECONDS = 5.0
LOG_BYTES = 8192
LOG_LINES = 30
RANGES = {"hour": 3600.0, "day": 86400.0, "all": 0.0}
RANGE_TITLES = {"hour": "Last hour", "day": "Last day", "all": "All"}
_METRICS_SECONDS = 30
_BOXES: dict[str, tuple[Callable[..., Any], str]] = {
    "stopped": (st.info, ":material/stop_circle:"),
    "starting": (st.info, ":material/hourglass_top:"),
    "running": (st.success, ":material/play_circle:"),
    "failed": (st.error, ":material/error:"),
    "died": (st.error, ":material/heart_broken:"),
}


def champions_first(versions: "Sequence[ModelVersion]") -> "dict[str, ModelVersion]":
    """Return the versions by their reference in text form, the champions first."""
    ordered = sorted(versions, key=lambda version: "champion" not in version.aliases)
    return {str(version.ref): version for version in ordered}


def versions_table(versions: "Sequence[ModelVersion]") -> None:
    """Draw what is registered, with the figures of the last evaluation on a test split."""
    frame = pd.DataFrame([_version_row(version) for version in versions])
    show.table(
        frame.astype({"Value": float}).round(3),
        "operate_versions",
        alt="The registered versions with what they were made from and how good they are on their test split.",
        placeholder="–",
    )


def alias_buttons(version: "ModelVersion") -> None:
    """Draw what can be done with a version's aliases."""
    name, number = version.name, version.version
    before = version.replaced.get("champion", 0)
    with st.container(horizontal=True):
        if "champion" not in version.aliases:
            label = "Promote to champion"
            if access.button(
                label,
                action="promote",
                icon=":material/military_tech:",
                type="primary",
                disabled=not version.available,
            ):
                attempt("alias", lambda: cache.registry().promote(name, number))
        elif before and access.button(
            f"Undo: make version {before} champion again", action="promote", icon=":material/undo:"
        ):
            attempt("alias", lambda: cache.registry().promote(name, before))
        for alias in version.aliases:
            if access.button(f"Remove alias {alias}", action="demote", icon=":material/label_off:"):
                attempt("alias", lambda alias=alias: cache.registry().demote(name, alias))  # type: ignore[misc]
    _failed_attempt("alias")
    if not version.available:
        st.warning("The files of this version are gone from the workspace: train it again.")


def watch_server(picked: "ModelVersion | None") -> ServerState:
    """Draw the server's state, looked at again every two seconds, with what can be done about it.

    Args:
        picked: the version to start with; None where none is registered.

    Returns:
        The state now; when it changes, the whole page is run again.
    """
    seen = server_state(cache.settings().workspace)

    @st.fragment(run_every=REFRESH_SECONDS)
    def watch() -> None:
        with shown_errors():
            state = server_state(cache.settings().workspace)
            draw, icon = _BOXES[state.state]
            draw(state.message, icon=icon)
            _failed_attempt("server")
            _server_buttons(state, picked)
            _server_log(state)
            if (state.state, state.pid) != (seen.state, seen.pid):
                st.session_state.pop("failed_server", None)
                st.rerun()

    watch()
    return seen


def attempt(what: str, action: Callable[[], object], doing: str = "Saving …") -> None:
    """Do something and run the page again; what went wrong stays on the page until the next attempt."""
    st.session_state.pop(f"failed_{what}", None)
    try:
        with st.spinner(doing):
            action()
    except LmError as error:
        st.session_state[f"failed_{what}"] = str(error)
    st.rerun()


def watch_stats(running: bool) -> None:
    """Draw what was served in a stretch of time; a short one is looked at again every five seconds."""
    chosen = linked.segments("Time", list(RANGES), "operate_range", format_func=RANGE_TITLES.__getitem__)
    seconds = RANGES[chosen]

    # All that is kept may be half a million requests, too much to be read every few seconds.
    @st.fragment(run_every=STATS_SECONDS if running and seconds else None)
    def watch() -> None:
        with shown_errors():
            stats = read_stats(cache.settings().workspace, time.time() - seconds if seconds else None)
            if stats.requests:
                _draw_stats(stats)
            elif seconds:
                empty_state(
                    f"Nothing was served in the {RANGE_TITLES[chosen].lower()}: send a text above, or look at a longer time."
                )
            else:
                empty_state("Nothing was served yet: start the server and send a text above.")

    watch()


def _failed_attempt(what: str) -> None:
    if sentence := st.session_state.get(f"failed_{what}"):
        st.error(sentence, icon=":material/error:")


def _server_buttons(state: ServerState, picked: "ModelVersion | None") -> None:
    up, ref = state.state in {"starting", "running"}, str(picked.ref) if picked else ""
    ready = picked is not None and picked.available
    with st.container(horizontal=True):
        if picked and not up:
            label = f"Start with {picked.name}, version {picked.version}"
            if access.button(
                label, action="start_server", icon=":material/play_arrow:", type="primary", disabled=not ready
            ):
                attempt("server", lambda: _start(ref), "Starting …")
        if up and access.button("Stop", action="stop_server", icon=":material/stop:"):
            attempt("server", lambda: stop_server(cache.settings().workspace), "Stopping …")
        if picked and up and ref != state.version:
            label = f"Restart with {picked.name}, version {picked.version}"
            if access.button(label, action="start_server", icon=":material/restart_alt:", disabled=not ready):
                attempt("server", lambda: _restart(ref), "Restarting …")


def _start(ref: str) -> None:
    start_server(cache.settings(), ref, api_key_sha256=key_hash())


def _restart(ref: str) -> None:
    stop_server(cache.settings().workspace)
    _start(ref)


def _server_log(state: ServerState) -> None:
    if not state.log:
        return
    with st.expander("Log", icon=":material/terminal:"):
        st.code(_last_lines(Path(state.log)) or "Nothing logged yet.", language=None)
        st.caption(f"Process {state.pid} · {state.log}")


def _last_lines(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:])


def _draw_stats(stats: ServingStats) -> None:
    latency = {f"Latency {name} (ms)": f"{value:.1f}" for name, value in stats.latency_ms.items()}
    figures = {"Requests": f"{stats.requests:,}", "Errors": f"{stats.errors:,}", "Texts": f"{stats.texts:,}", **latency}
    for column, (label, value) in zip(show.side_by_side(len(figures), narrowest=130), figures.items(), strict=True):
        column.metric(label, value, border=True)
    left, right = show.side_by_side()
    with left:
        show.figure(charts.request_counts(stats), "operate_requests")
    with right:
        if stats.latency_ms:
            show.figure(charts.latency_quantiles(stats), "operate_latency")
    if stats.labels:
        show.figure(charts.label_shares(stats.labels), "operate_labels")
    by_version = "; ".join(f"{name}: {count:,}" for name, count in stats.versions.items())
    st.caption(f"Requests by version: {by_version}. Texts are never recorded.")


def _version_row(version: "ModelVersion") -> dict[str, Any]:
    measured = _test_figure(str(cache.settings().workspace.root), str(version.ref))
    created = pd.Timestamp(version.created, unit="s", tz="UTC").tz_convert(st.context.timezone or "UTC")
    return {
        "Name": version.name,
        "Version": version.version,
        "Alias": ", ".join(version.aliases),
        "Method": version.facts.get("method", ""),
        "Base": version.facts.get("base", ""),
        "Data": version.facts.get("data", ""),
        "Task": TASKS[version.task].title if version.task in TASKS else version.task,
        "Measured by": measured[0],
        "Value": measured[1],
        "Created": created.strftime("%Y-%m-%d %H:%M"),
        "Available": version.available,
    }


@st.cache_data(ttl=_METRICS_SECONDS, max_entries=512, show_spinner=False)
def _test_figure(root: str, ref: str) -> tuple[str, float | None]:
    """Return the title and value of a version's main figure."""
    from lmcore.training.evaluation import load_evaluation

    kept = cache.chief_evaluation(ref)
    if not kept:
        return "", None
    found = load_evaluation(cache.settings().workspace, kept)
    return found.main.title, found.metrics[found.main.name]
