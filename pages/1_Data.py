"""Bring texts in, see what is wrong with them, clean and split them."""

import streamlit as st

from lmcore.charts import data as charts
from lmcore.ui import cache, show, state
from lmcore.ui.data import bring_in, clean_form, show_history, show_issues, show_rows, split_form
from lmcore.ui.labelling import label_view
from lmcore.ui.page import empty_state, open_page, shown_errors

VIEWS = ["Profile", "Defects", "Clean", "Label", "Split", "Rows", "History"]

open_page("Data")


def profile(ref: str) -> None:
    """Show rows, labels, lengths and missing values."""
    found = cache.profile(ref)
    st.markdown("\n".join(f"- {sentence}" for sentence in (f"{found.rows:,} rows.", *found.verdict)))
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
    if name == "Profile":
        profile(ref)
    elif name == "Defects":
        show_issues(cache.profile(ref).issues, data)
    elif name == "Clean":
        clean_form(data)
    elif name == "Label":
        label_view(data)
    elif name == "Split":
        if data.is_split:
            balance = charts.split_balance(data)
            st.markdown(balance.alt)
            show.figure(balance, "data_splits")
        split_form(data)
    elif name == "Rows":
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
        chosen = st.segmented_control(
            "View", VIEWS, default="Profile", key="data_view", required=True, bind="query-params"
        )
        view(current, chosen or "Profile")
    else:
        empty_state("No data set yet: take a sample, upload a file or name a hub data set above.")
