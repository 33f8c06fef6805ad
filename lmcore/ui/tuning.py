"""Pieces of the Train page that search: what to search, the trials as they come, and what was found."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.charts import tuning as charts
from lmcore.errors import UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.jobs import Job, JobState
from lmcore.methods import Option, options_of
from lmcore.settings import MIB
from lmcore.training.config import TrainConfig
from lmcore.training.methods import TRAINING
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.job import SEARCH, all_trials, search_config
from lmcore.training.tuning.space import Dimension, default_space, largest, parse_dimension, searchable
from lmcore.ui import access, cache, linked, show, state
from lmcore.ui.forms import option_fields
from lmcore.ui.jobs import watch_job

if TYPE_CHECKING:
    from lmcore.training.tuning.result import SearchResult

MODES = {"train": "Train", "search": "Search"}
MODE = "train_mode"
TAKEN = "train_taken"
MORE = 10


def choose_mode() -> str:
    """Ask whether to train once or to search; the link carries it."""
    return linked.segments("What to do", list(MODES), MODE, format_func=MODES.__getitem__, hidden=True)


def taken_settings(ref: str) -> tuple[TrainConfig | None, str]:
    """Return the configuration that the viewer took over from a search on this data set, and an ending for field keys."""
    taken: Mapping[str, Any] | None = st.session_state.get(TAKEN)
    if taken is None or taken["data"] != ref:
        return None, ""
    return TrainConfig.from_dict(taken["config"]), f"_{fingerprint(taken['config'])}"


def search_form(base: TrainConfig, ref: str) -> None:
    """Choose what to search and how; see what it takes at most; start the job."""
    space = _space_fields(base)
    left, right = show.side_by_side()
    with left:
        trials = option_fields([o for o in options_of(SearchConfig) if o.name == "trials"], "search")
    with right, st.expander("How to search", icon=":material/tune:"):
        given = option_fields([o for o in options_of(SearchConfig) if o.name != "trials"], "search")
    config = SearchConfig(base, space, **trials, **given).checked()
    fits = _describe(config, ref)
    if access.button(
        "Start the search", action="start_job", type="primary", icon=":material/manage_search:", disabled=not fits
    ):
        _submit(config, ref)


def searches() -> None:
    """Watch one search, or read what it found."""
    jobs = {str(job.config["id"]): job for job in reversed(cache.board().list(kind="search")) if "id" in job.config}
    kept = {item.id: item for item in cache.searches()}
    waiting = [identifier for identifier in reversed(jobs) if identifier not in kept]
    if not kept and not waiting:
        st.caption("No search has been started yet.")
        return
    titles = {i: f"{k.name} on {k.data} · {TRAINING[k.method].title} · {k.trials} trials" for i, k in kept.items()}
    titles |= {identifier: jobs[identifier].title for identifier in waiting}
    chosen = str(state.pick("search", "Search", [*waiting, *kept], format_func=lambda i: f"{titles[i]} · {i[:6]}"))
    job = jobs.get(chosen)
    if job is not None and job.state is not JobState.DONE:
        watch_job(job.id, lambda _: _draw_live(chosen))
    if job is None or job.state.ended:
        _show_result(chosen, job)


def _space_fields(base: TrainConfig) -> dict[str, Dimension]:
    """Ask which settings to search, and each one's range or choices in the notation of the command line."""
    usual, known = default_space(base), searchable(base.method, base.task)
    key = f"search_{base.task}_{base.method}"
    names = st.multiselect(
        "Settings to search",
        list(known),
        default=list(usual),
        format_func=_title,
        key=f"{key}_names",
        help="The others stay as they are above, and so does the first trial.",
    )
    cells = show.side_by_side(3, narrowest=220)
    found = {}
    for number, name in enumerate(names):
        shown = str(usual[name]) if name in usual else _example(known[name], getattr(base, name))
        text = cells[number % 3].text_input(
            _title(name),
            value=shown,
            key=f"{key}_{name}",
            help=f"{known[name].help} Write low:high, low:high:log (by orders of magnitude), or choices with commas between "
            "them.",
        )
        found[name] = parse_dimension(name, text, base.method, base.task)
    return found


def _example(item: Option, value: Any) -> str:
    """Return something to begin with for a setting that is not searched by default."""
    if item.kind == "bool":
        return "true, false"
    if item.choices:
        return ", ".join(item.choices)
    low, high = item.minimum or 0, item.maximum or 1
    start = float(value if value else min(high, max(low, 1)))
    ends = max(low, start / 2), min(high, start * 2)
    return ":".join(f"{round(end) if item.kind == 'int' else end:g}" for end in ends)


def _describe(config: SearchConfig, ref: str) -> bool:
    """Say what the search takes at most; returns whether it fits into memory."""
    estimate = all_trials(cache.estimate(largest(config.base, config.space), ref), config)
    minutes = max(1, round(estimate.seconds / 60))
    time = f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    st.caption(
        f":material/timer: At most about {time}, if every trial were as large as the largest, and {estimate.nbytes / MIB:,.0f} "
        f"MiB of memory ({estimate.available / MIB:,.0f} MiB are free). Trials are judged on dev; the test split is read once, "
        "by the best one at the end."
    )
    if not estimate.fits:
        st.error("The largest trial does not fit into memory: search smaller models, batch sizes or longest texts.")
    return estimate.fits


def _submit(config: SearchConfig, ref: str) -> None:
    needs = cache.estimate(largest(config.base, config.space), ref).nbytes
    wanted = search_config(config, ref, workspace=cache.settings().workspace)
    active = [job for job in cache.board().list(kind="search") if job.config.get("id") == wanted["id"]]
    if any(not job.state.ended for job in active):
        st.info("This very search is running or waiting already: follow it below.")
    else:
        cache.board().submit(
            SEARCH, wanted, title=f"Search {config.base.name} on {ref}", kind="search", needs_bytes=needs
        )
        state.choose("search", wanted["id"])
        st.rerun()


def _draw_live(identifier: str) -> None:
    """Draw the trials that there are so far."""
    try:
        result = cache.search(identifier)
    except UnknownError:  # the worker has not begun
        return
    if result.ended:
        show.figure(charts.search_history(result), "search_live_history")
    _show_trials(result, "search_live_trials")


def _show_result(identifier: str, job: Job | None) -> None:
    try:
        result = cache.search(identifier)
    except UnknownError:
        if job is None or job.state is JobState.DONE:
            raise
        return
    st.markdown(f"**{show.plain(result.verdict)}**")
    if result.best is not None:
        _offer(result)
    if not result.ended:
        return
    left, right = show.side_by_side()
    with left:
        show.figure(charts.search_history(result), "search_history")
    with right:
        importance = cache.search_importance(result)
        if importance.shares.empty:
            st.info(importance.note)
        else:
            show.figure(charts.importance_bars(importance), "search_importance")
            st.caption(importance.note)
    show.figure(charts.parallel_coordinates(result), "search_parallel")
    _show_trials(result, "search_trials")
    _extend(result)


def _offer(result: "SearchResult") -> None:
    """Offer the best configuration to the start form, and the version that was trained with it."""
    st.button(
        "Use these settings",
        key=f"search_use_{result.id}",
        icon=":material/input:",
        type="primary",
        on_click=_take,
        args=(result,),
        help="Puts the best configuration into the form for training.",
    )
    if result.registered:
        version = str(result.registered["version"])
        st.button(
            f"See how {version} did",
            key=f"search_see_{result.id}",
            icon=":material/arrow_forward:",
            on_click=_see,
            args=(version,),
        )


def _take(result: "SearchResult") -> None:
    if result.best is None:
        return
    st.session_state[TAKEN] = {"data": result.data, "config": result.best.to_dict()}
    st.session_state[MODE] = "train"
    st.session_state["train_method"] = result.best.method
    state.choose("dataset", result.data)


def _see(version: str) -> None:
    st.session_state[MODE] = "train"
    state.choose("version", version)


def _show_trials(result: "SearchResult", key: str) -> None:
    """List the trials, the last one first."""
    shown = result.trials.rename(columns={"value": result.metric.title.lower()}).iloc[::-1]
    empty = [
        name for name in ("reason", "epoch", "epochs") if not shown[name].astype(bool).any() or shown[name].isna().all()
    ]
    floats = [name for name in result.space if shown[name].dtype == float]
    show.table(
        shown.drop(columns=empty),
        key,
        alt="The trials of the search with their state, dev figure and settings, the last one first.",
        formats={**dict.fromkeys(floats, "%.3g"), result.metric.title.lower(): "%.4f", "seconds": "%.1f"},
        height=260,
    )


def _extend(result: "SearchResult") -> None:
    left, right = show.side_by_side(2, narrowest=200)
    with left:
        more = st.number_input("More trials", min_value=1, max_value=1000, value=MORE, key=f"search_more_{result.id}")
    with right:
        st.caption("Goes on with this search: no trial is run again.")
        if access.button(
            "Extend the search", action="start_job", key=f"search_extend_{result.id}", icon=":material/add:"
        ):
            config = SearchConfig.from_dict(result.config)
            _submit(replace(config, trials=result.ended + int(more)), result.data)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
