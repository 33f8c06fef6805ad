"""Bring texts in, see what is wrong with them, clean and split them."""

import streamlit as st

from lmcore.charts import data as charts
from lmcore.types import count_of
from lmcore.ui import cache, linked, show, state
from lmcore.ui.data import bring_in, clean_form, show_history, show_issues, show_rows, split_form
from lmcore.ui.labelling import label_view
from lmcore.ui.page import empty_state, open_page, shown_errors

VIEWS = {
    "profile": "Profile",
    "defects": "Defects",
    "clean": "Clean",
    "label": "Label",
    "split": "Split",
    "rows": "Rows",
    "history": "History",
}

open_page("Data")


def profile(ref: str) -> None:
    """Show rows, labels, lengths and missing values."""
    found = cache.profile(ref)
    st.markdown("\n".join(f"- {sentence}" for sentence in (f"{count_of(found.rows, 'row')}.", *found.verdict)))
    left, right = show.side_by_side()
    if len(found.labels):
        with left:
            show.figure(charts.label_distribution(found), "data_labels")
    with right if len(found.labels) else left:
        chart = st.container()
        unit = st.segmented_control(
            "Length in", ["words", "characters"], default="words", key="data_unit", required=True
        )
        with chart:
            show.figure(charts.text_lengths(found, unit or "words"), "data_lengths")
    st.subheader("Columns")
    columns = found.columns.rename(columns={"share": "share missing", "distinct": "distinct values"})
    show.table(columns, "data_columns", alt="Missing and distinct values of each column.", percent=["share missing"])


def view(ref: str, name: str) -> None:
    """Show one view of a data set."""
    data = cache.dataset(ref)
    if name == "profile":
        profile(ref)
    elif name == "defects":
        show_issues(cache.profile(ref).issues, data)
    elif name == "clean":
        clean_form(data)
    elif name == "label":
        label_view(data)
    elif name == "split":
        if data.is_split:
            balance = charts.split_balance(data)
            st.markdown(balance.alt)
            show.figure(balance, "data_splits")
        split_form(data)
    elif name == "rows":
        show_rows(data)
    else:
        show_history(data)


with shown_errors():
    stored = [str(info.ref) for info in cache.datasets()]
    bring_in(expanded=not stored)
    for ref in cache.store().damaged():
        st.warning(f"The stored data set {ref} is damaged and not listed: bring its file in again.")
    if stored:
        current = str(state.pick("dataset", "Data set", stored))
        view(current, linked.segments("View", list(VIEWS), "data_view", format_func=VIEWS.__getitem__))
    else:
        empty_state("No data set yet: take a sample, upload a file or name a hub data set above.")
