"""What the Analyse page looks into: a text that is typed, or a row of a data set."""

import streamlit as st

from lmcore.tasks import load_task
from lmcore.ui import cache, show, state

LINK_LENGTH = 500
MAX_CHARACTERS = 100_000
SHOWN_CHARACTERS = 2000
EXAMPLE = "The parcel came a week late and nobody answered my emails."


def text_choice() -> str:
    """Ask for a text: typed, or a row of a data set; the link carries the row's id or a short text."""
    sources = ["Type a text", "Row of a data set"]
    by_row = bool(state.chosen("row")) and not st.query_params.get("text")
    source = st.segmented_control(
        "Text", sources, default=sources[int(by_row)], key="analyse_source", required=True, label_visibility="collapsed"
    )
    return _row_text() if source == sources[1] else _typed_text()


def _typed_text() -> str:
    key = "analyse_text"
    if key not in st.session_state:
        st.session_state[key] = state.chosen("text") or EXAMPLE
    text = st.text_area("Text to analyse", key=key, max_chars=MAX_CHARACTERS, height=90)
    state.choose("row", "")
    state.choose("text", text if len(text) <= LINK_LENGTH else "")
    if len(text) > LINK_LENGTH:
        st.caption(f"The link carries texts of up to {LINK_LENGTH} characters; this one is longer.")
    return text


def _row_text() -> str:
    datasets = [str(info.ref) for info in cache.datasets()]
    ref = state.pick("dataset", "Data set", datasets)
    if ref is None:
        st.info("There is no data set to take a row from.")
        return ""
    data = cache.dataset(ref)
    frame = data.frame
    wanted = state.chosen("row")
    ids = frame["id"].astype(int)
    first, last = int(ids.min()) + 1, int(ids.max()) + 1
    there = wanted.isdecimal() and first <= int(wanted) + 1 <= last
    if wanted and not there:
        st.warning(f"The link names a row that is not in this data set: row {first} is shown.")
    start = int(wanted) + 1 if there else first
    number = st.number_input("Row", first, last, start, key=f"analyse_row_{ref}_{wanted}")
    state.choose("text", "")
    state.choose("row", str(int(number) - 1))
    found = frame[ids == int(number) - 1]
    if found.empty:
        st.info(f"Row {number} was dropped in cleaning: choose another.")
        return ""
    text = str(load_task(data.task).texts(found).iloc[0])
    with st.container(border=True):
        st.text(text[:SHOWN_CHARACTERS])
        if "label" in found:
            st.caption(f"Labelled {show.plain(str(found['label'].iloc[0])) or 'not at all'}.")
    return text
