"""What the Analyse page looks into: columns that are typed, or a row of a data set."""

import json
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from lmcore.errors import LmError
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Input
from lmcore.ui import cache, places, show, state
from lmcore.ui.example import example_texts
from lmcore.ui.linked import LINK_LENGTH

MAX_CHARACTERS = 100_000
SHOWN_CHARACTERS = 2000
_TYPED, _ROW = "Type a text", "Row of a data set"


def text_choice(version: str) -> Input:
    """Ask for what a version reads: typed, or a row of a data set; the link carries the row's id or a short text.

    Returns:
        The text, or each text by its column where the task reads several; empty where there is none yet.
    """
    task = load_task(cache.registry().get(version).task)
    named = "text" in st.query_params or "row" in st.query_params
    by_row = bool(state.chosen("row")) and not st.query_params.get("text")
    sources = [_TYPED, _ROW]
    source = st.segmented_control(
        "Text", sources, default=sources[int(by_row)], key="analyse_source", required=True, label_visibility="collapsed"
    )
    texts = _row_texts(task) if source == _ROW else _typed_texts(task, version)
    places.text_is(texts, named=named)
    return next(iter(texts.values()), "") if len(texts) < 2 else texts


def split_data_choice(version: str) -> str | None:
    """Ask for a data set that is split, the version's own one first; None where there is none."""
    datasets = [str(info.ref) for info in cache.datasets() if info.is_split]
    trained_on = str(cache.registry().get(version).facts.get("data", ""))
    return state.pick("dataset", "Data set", datasets, default=trained_on)


def is_filled(task: Task, given: Input) -> bool:
    """Say whether every column that the model needs has a text."""
    texts = {task.required()[0]: given} if isinstance(given, str) else given
    return all(texts.get(name, "").strip() for name in task.required())


def joined(given: Input) -> str:
    """Return what was given as one text, for a view that looks at one."""
    return given if isinstance(given, str) else "\n".join(text for text in given.values() if text.strip())


def _typed_texts(task: Task, version: str) -> dict[str, str]:
    names = _read_columns(task, version)
    several = len(names) > 1
    linked, example = _linked(state.chosen("text"), names), example_texts(version)
    texts = {}
    for name in names:
        key = f"analyse_text_{task.name}_{name}" if several else "analyse_text"
        _fill(key, linked.get(name, "") if linked else None, example.get(name, ""))
        label = _label(task, name) if several else "Text to analyse"
        texts[name] = st.text_area(label, key=key, max_chars=MAX_CHARACTERS, height=90)
    state.choose("row", "")
    said = json.dumps(texts, ensure_ascii=False) if several else texts[names[0]]
    state.choose("text", said if len(said) <= LINK_LENGTH and any(texts.values()) else "")
    if len(said) > LINK_LENGTH:
        st.caption(f"The link carries texts of up to {LINK_LENGTH} characters; this one is longer.")
    return texts


def _fill(key: str, linked: str | None, example: str) -> None:
    """Put into a box what the link carries, else an example; one that nobody changed follows the version."""
    shown, seeded = st.session_state.get(key), st.session_state.get(f"{key}_example")
    if key not in st.session_state and linked:
        st.session_state[key] = linked
    elif key not in st.session_state or (seeded is not None and shown == seeded):
        st.session_state[key] = st.session_state[f"{key}_example"] = example


def _linked(said: str, names: list[str]) -> dict[str, str]:
    """Return the columns that a link carries: a plain text is the first of them."""
    if not said:
        return {}
    if len(names) > 1 and said.startswith("{"):
        try:
            read = json.loads(said)
        except ValueError:
            read = None
        if isinstance(read, Mapping):
            return {name: str(read[name]) for name in names if name in read}
    return {names[0]: said}


def _label(task: Task, name: str) -> str:
    column = next(c for c in task.columns if c.name == name)
    said = name.replace("_", " ").capitalize()
    return said if column.required else f"{said} (may be left empty)"


def _read_columns(task: Task, version: str) -> list[str]:
    """Return the columns that a version reads: the optional ones only where its training data had them."""
    data = str(cache.registry().get(version).facts.get("data", "")).partition(":")[0]
    try:
        return task.inputs(cache.dataset(data).frame) if data else task.required()
    except LmError:
        return task.required()


def _row_texts(task: Task) -> dict[str, str]:
    datasets = [str(info.ref) for info in cache.datasets()]
    ref = state.pick("dataset", "Data set", datasets)
    if ref is None:
        st.info("There is no data set to take a row from.")
        return {}
    frame = cache.dataset(ref).frame
    missing = [name for name in task.required() if name not in frame]
    if missing:
        st.info(f"{ref} has no column {missing[0]}, which {task.title.lower()} reads: choose another data set.")
        return {}
    number = _row_number(frame, ref)
    state.choose("text", "")
    state.choose("row", str(number))
    found = frame[frame["id"].astype(int) == number]
    if found.empty:
        st.info(f"Row {number + 1} was dropped in cleaning: choose another.")
        return {}
    _show_row(task, found.iloc[0])
    return {name: str(found.iloc[0][name]) for name in task.inputs(frame)}


def _row_number(frame: pd.DataFrame, ref: str) -> int:
    """Ask for a row; returns its id."""
    wanted = state.chosen("row")
    ids = frame["id"].astype(int)
    first, last = int(ids.min()) + 1, int(ids.max()) + 1
    there = wanted.isdecimal() and len(wanted) <= len(str(last)) and first <= int(wanted) + 1 <= last
    if wanted and not there:
        st.warning(f"The link names a row that is not in this data set: row {first} is shown.")
    start = int(wanted) + 1 if there else first
    return int(st.number_input("Row", first, last, start, key=f"analyse_row_{ref}_{wanted}")) - 1


def _show_row(task: Task, row: "pd.Series[str]") -> None:
    names = [name for name in task.inputs() if name in row]
    with st.container(border=True):
        for name in names:
            if len(names) > 1:
                st.caption(_label(task, name))
            st.text(str(row[name])[:SHOWN_CHARACTERS])
        for name in (name for name in task.outputs() if name in row):
            said = show.plain(str(row[name])[:SHOWN_CHARACTERS])
            st.caption(f"Labelled {said or 'not at all'}." if name == "label" else f"{name.capitalize()}: {said}")
