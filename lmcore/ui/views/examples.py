"""Through examples: the edits that change the answer, and the rows of the data that stand nearest or that it hangs on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.counterfactual.edit import marked_words
from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS
from lmcore.analysis.recipes import named_data
from lmcore.charts import counterfactual as charts
from lmcore.charts.figure import Figure
from lmcore.errors import InputError
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.labelled import LabelTask
from lmcore.types import SPLITS, Input, Report
from lmcore.ui import cache, linked, show, state
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals
    from lmcore.analysis.examples.influence import Influences
    from lmcore.analysis.examples.nearest import Neighbours

SHOWN_FLIPS = 5
AROUND = 120
_SAID = "what the model says"
_ROW_SOURCE = "Row of a data set"
_PARTS = {"edits": "Edits", "nearest": "Nearest rows", "influence": "Influential rows"}


def draw(version: str, text: Input) -> None:
    """Show edits that change the answer, the nearest rows, or those that the answer hangs on."""
    parts: dict[str, Callable[[str, Input], None]] = {
        "edits": _draw_edits,
        "nearest": _draw_nearest,
        "influence": _draw_influences,
    }
    # Where each edit takes a written text, nothing begins by itself.
    first = "edits" if _gives_labels(version) else "nearest"
    part = linked.segments("Examples", list(parts), "analyse_examples", format_func=_PARTS.__getitem__, default=first)
    parts[part](version, text)


def _draw_edits(version: str, text: Input) -> None:
    offered = list(EDITS) if _gives_labels(version) else list(BLACK_BOX)
    with st.expander("Settings", icon=":material/tune:"):
        kinds = linked.pills(
            "Edits",
            offered,
            "analyse_edits",
            format_func=lambda name: EDITS[name].title,
            help=" ".join(f"{EDITS[name].title}: {EDITS[name].summary}" for name in offered),
        )
        left, middle, right = show.side_by_side(3, narrowest=190)
        with left:
            budget = st.number_input(
                "Texts asked, at most", 10, 5000, 400, step=50, key="analyse_edit_budget", bind="query-params"
            )
        with middle:
            most = st.number_input("Edits at once, at most", 1, 12, 5, key="analyse_edit_most", bind="query-params")
        with right:
            seed = st.number_input("Seed", 0, None, 0, key="analyse_edit_seed", bind="query-params")
        st.caption(
            "Every single edit is tried first. Where none of them changes the answer, the strongest are made at once, and sets "
            f"of fewer are searched for. The model is asked about {budget:,} texts at most, which takes as long as to predict "
            "as many rows."
        )
    if not kinds:
        raise InputError("No edit is chosen: choose one or more in the settings.")
    found = stoppable(
        "Trying edits", "analyse_edits",
        lambda report: _counterfactuals(
            cache.workspace_root(), version, text, kinds, int(budget), int(most), int(seed), report
        ),
    )  # fmt: skip
    if found is None:
        return
    figures = _show_counterfactuals(found)
    arguments = {**found.parameters, "text": text, "edits": {name: {} for name in EDITS if name in kinds}}
    report_button("edits", version, found, arguments, figures)


def _show_counterfactuals(found: "Counterfactuals") -> list[Figure]:
    from lmcore.analysis.counterfactual.answers import said

    answer = said(found.prediction)
    st.markdown(
        f"The model says **{show.plain(answer)}** with {found.prediction.score:.1%}. {show.plain(found.verdict())}"
    )
    if found.truncated:
        st.warning("The text is longer than the model's limit: only its beginning was edited.")
    for item in found.minimal[:SHOWN_FLIPS]:
        with st.container(border=True):
            _show_flip(item, found, said(item.prediction))
    if len(found.minimal) > SHOWN_FLIPS:
        st.caption(f"{len(found.minimal) - SHOWN_FLIPS:,} more sets of as many edits change the answer: see the table.")
    frame = found.to_frame()
    figures = [charts.edit_effects(frame, answer)] if frame["change"].notna().any() else []
    for figure in figures:
        show.figure(figure, "analyse_edits_chart")
    shown = frame.assign(flips=frame["flips"].map({True: "yes", False: "no"})).drop(columns=["edits"])
    shown = shown if shown["fluency"].notna().any() else shown.drop(columns=["fluency"])
    show.table(
        shown,
        "analyse_edits_table",
        alt="Every edit that was tried, with the answer.",
        height=320,
        formats={"change": "%+.3f"},
    )
    st.caption(
        f"{found.asked:,} of at most {found.budget:,} texts were asked in {found.calls:,} calls; {found.candidates:,} single "
        "edits were possible. The change is that of the first answer's probability."
        + (f" The model could not work on {found.failed:,} texts." if found.failed else "")
    )
    return figures


def _show_flip(item: "Counterfactual", found: "Counterfactuals", answer: str) -> None:
    for name, stretches in marked_words(found.text, item.edits).items():
        before = f"{show.plain(name)}: " if name else ""
        st.markdown(before + _marked(stretches))
    words = "1 word" if item.words == 1 else f"{item.words} words"
    moved = f"; the first answer's probability moved by {100 * item.change:+.1f} percentage points"
    change = moved if item.change == item.change else ""
    st.caption(f"Now **{show.plain(answer)}** with {item.prediction.score:.1%}: {words} changed{change}.")


def _marked(stretches: list[tuple[str, str]]) -> str:
    """Return a text in which what is gone is struck out and what is new is bold; of the rest, what stands around that."""
    pieces = []
    for number, (kind, piece) in enumerate(stretches):
        shown = _shortened(piece, first=number == 0, last=number == len(stretches) - 1) if kind == "same" else piece
        core = show.plain(" ".join(shown.split()))
        front, back = " " * shown[:1].isspace(), " " * shown[-1:].isspace()
        if core:
            core = {"same": core, "gone": f":red[~~{core}~~]", "new": f":green[**{core}**]"}[kind]
        joint = " " if kind == "new" and number and stretches[number - 1][0] == "gone" else front
        pieces.append(f"{joint}{core}{back}")
    return "".join(pieces)


def _shortened(piece: str, *, first: bool, last: bool) -> str:
    if len(piece) <= 2 * AROUND:
        return piece
    head, tail = ("" if first else piece[:AROUND]), ("" if last else piece[-AROUND:])
    return f"{head} … {tail}"


def _draw_nearest(version: str, text: Input) -> None:
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


def _draw_influences(version: str, text: Input) -> None:
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


def _gives_labels(version: str) -> bool:
    task = cache.registry().get(version).task
    return task in TASKS and isinstance(load_task(task), LabelTask)


@st.cache_data(show_spinner=False)
def _counterfactuals(
    root: str, version: str, text: Input, kinds: tuple[str, ...], budget: int, most: int, seed: int, _report: Report
) -> "Counterfactuals":
    from lmcore.analysis import counterfactuals

    edits: Mapping[str, Mapping[str, object]] = {name: {} for name in EDITS if name in kinds}
    with cache.pool().lease(version) as loaded:
        return counterfactuals(loaded, text, edits=edits, budget=budget, most_edits=most, seed=seed, report=_report)


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
