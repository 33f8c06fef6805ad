"""The rows of a data set that stand nearest to a text, or that an answer hangs on: parts of the view Examples."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.recipes import named_data
from lmcore.charts import counterfactual as charts
from lmcore.tasks import load_task
from lmcore.types import SPLITS, Input, Report
from lmcore.ui import cache, linked, show, state
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.examples.influence import Influences
    from lmcore.analysis.examples.nearest import Neighbours

_SAID = "what the model says"
_ROW_SOURCE = "Row of a data set"


def draw_nearest(version: str, text: Input) -> None:
    """Show the rows that are nearest to a text."""
    ref, row = _data_choice(version)
    if ref is None:
        return
    left, middle, right = show.side_by_side(3, narrowest=190)
    with left:
        split = _split_choice(ref)
    with middle:
        last = cache.layers(version)
        layer = st.number_input(
            "Layer (0: embeddings)", 0, last, last, key=f"analyse_near_layer_{last}", bind="query-params"
        )
    with right:
        count = st.number_input("Rows", 1, 100, 10, key="analyse_near_rows", bind="query-params")
    st.caption(f"Reads {_counted(ref, split)} once; their vectors are kept for the next text.")
    found = stoppable(
        "Reading the rows", "analyse_near",
        lambda report: _nearest(
            cache.workspace_root(), version, text, ref, split, int(layer), int(count), row, report
        ),
    )  # fmt: skip
    if found is None:
        return
    agreed = ""
    if found.agreement == found.agreement:
        agreed = f" **{found.agreement:.0%}** of them have the label {show.plain(found.label)}, as the model says."
    st.markdown(f"The nearest of {found.searched:,} rows of {show.plain(found.data)} at layer {found.layer}.{agreed}")
    if found.duplicates:
        st.warning(
            f"{found.duplicates} of the rows read exactly as the text does: where it is a test row, it was seen in training."
        )
    figure = charts.row_scores(
        found.rows,
        "similarity",
        title="How alike the nearest rows are",
        unit="Cosine of the mean token vectors (-1 to 1)",
    )
    show.figure(figure, "analyse_near_chart")
    _show_rows(version, ref, found.rows, "similarity", "%.3f")
    st.caption("Every row is compared by the cosine of the mean token vectors; the text itself is left out.")
    arguments = {"text": text, "data": named_data(cache.dataset(ref)), **found.parameters}
    report_button("nearest_rows", version, found, arguments, [figure])


def draw_influences(version: str, text: Input) -> None:
    """Show the rows that an answer to a text hangs on: what the model says, or another one."""
    task = load_task(cache.registry().get(version).task)
    if not task.learns:
        st.info(str(task.nothing_learnt()))
        return
    ref, row = _data_choice(version)
    if ref is None:
        return
    left, middle, right = show.side_by_side(3, narrowest=190)
    with left:
        split = _split_choice(ref)
    with middle:
        answer = _answer_choice(version)
    with right:
        count = st.number_input("Rows of each sign", 1, 50, 5, key="analyse_influence_rows", bind="query-params")
    st.caption(
        f"Reads {_counted(ref, split)} once, each with what is learnt of it, and takes gradients of the last layer."
    )
    found = stoppable(
        "Reading the rows", "analyse_influence",
        lambda report: _influences(cache.workspace_root(), version, text, ref, split, answer, int(count), row, report),
    )  # fmt: skip
    if found is None:
        return
    st.markdown(
        f"What speaks for (+) and against (-) **{show.plain(found.short_label)}** most, among {found.searched:,} rows of "
        f"{show.plain(found.data)}."
    )
    figure = charts.row_scores(
        found.rows,
        "influence",
        title=f"Rows that the answer {found.short_label} hangs on",
        unit="Influence (right of 0: learning the row helps the answer)",
    )
    show.figure(figure, "analyse_influence_chart")
    _show_rows(version, ref, found.rows, "influence", "%.3g")
    st.caption(found.method)
    asked = {"split": split, "row": row, "label": answer, "k": int(count)}
    arguments = {"text": text, "data": named_data(cache.dataset(ref)), **asked}
    report_button("influential_rows", version, found, arguments, [figure])


def _answer_choice(version: str) -> str:
    """Ask for the answer that is looked into, where the task has a fixed set among these; empty for what the model says."""
    with cache.pool().lease(version) as loaded:
        names = load_task(loaded.task).answer_names(loaded.labels)
    if names:
        return linked.select(
            "Answer", ["", *names], "analyse_answer", format_func=lambda name: name or _SAID,
            help="What rows speak for and against: what the model says of the text, or another answer.",
        )  # fmt: skip
    written = linked.text(
        "Answer", "analyse_answer", height=0, placeholder=_SAID,
        help="Another answer than the model's, as the data writes it: a tag for each word, a stretch of the context or "
        "“no answer”, labels, or a text, whose first space counts. The rows that speak for and against it are found.",
    )  # fmt: skip
    return written if written.strip() else ""


def _show_rows(version: str, ref: str, rows: "pd.DataFrame", column: str, written: str) -> None:
    shown = rows.assign(row=rows["id"] + 1, duplicate=rows["duplicate"].map({True: "yes", False: ""}))
    event = show.table(
        shown[["row", column, "label", "duplicate", "text"]],
        f"analyse_examples_{column}",
        alt="The rows, the strongest first.",
        formats={column: written},
        on_select="rerun",
        selection_mode="single-row",
    )
    picked = event.selection.rows
    row = int(rows["id"].iloc[picked[0] if picked else 0])
    choices: dict[state.Choice, str] = {"version": version, "dataset": ref, "row": str(row)}
    state.link("pages/3_Analyse.py", f"Open row {row + 1} in Analyse", choices)


def _data_choice(version: str) -> tuple[str | None, int | None]:
    """Return the data set whose rows are searched, and the text's own row where it is one of them."""
    if st.session_state.get("analyse_source") == _ROW_SOURCE:  # the page has asked for a data set already
        wanted = state.chosen("row")
        return state.chosen("dataset") or None, int(wanted) if wanted.isdecimal() else None
    known = cache.registry().get(version)
    datasets = [str(info.ref) for info in cache.datasets() if info.task == known.task]
    ref = state.pick("dataset", "Data set", datasets, default=str(known.facts.get("data", "")))
    if ref is None:
        st.info("There is no data set for the task of this version: bring one in on the Data page.")
    return ref, None


def _split_choice(ref: str) -> str:
    if not cache.store().info(ref).is_split:
        st.caption("The data set is not split: all of its rows are searched.")
        return ""
    return str(
        st.segmented_control(
            "Rows of", SPLITS, default="train", key="analyse_near_split", required=True, bind="query-params"
        )
    )


def _counted(ref: str, split: str) -> str:
    """Return how many rows are searched, in words."""
    data = cache.dataset(ref)
    rows = len((data.part(split) if split else data).frame)
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


@st.cache_data(show_spinner=False)
def _nearest(
    root: str, version: str, text: Input, ref: str, split: str, layer: int, count: int, row: int | None, _report: Report
) -> "Neighbours":
    from lmcore.analysis import nearest_examples

    stores = cache.settings().workspace.stores
    with cache.pool().lease(version) as loaded:
        return nearest_examples(
            loaded, text, cache.dataset(ref), layer=layer, k=count, split=split, row=row, stores=stores, report=_report
        )


@st.cache_data(show_spinner=False)
def _influences(
    root: str,
    version: str,
    text: Input,
    ref: str,
    split: str,
    answer: str,
    count: int,
    row: int | None,
    _report: Report,
) -> "Influences":
    from lmcore.analysis import influential_examples

    with cache.pool().lease(version) as loaded:
        return influential_examples(
            loaded, text, cache.dataset(ref), label=answer, k=count, split=split, row=row, report=_report
        )
