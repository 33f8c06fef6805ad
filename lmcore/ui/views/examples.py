"""Through examples: the edits that change the answer, and the rows of the data that stand nearest or that it hangs on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.counterfactual.edit import marked_words
from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS
from lmcore.charts import counterfactual as charts
from lmcore.charts.figure import Figure
from lmcore.errors import InputError
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.labelled import LabelTask
from lmcore.types import Input, Report, count_of
from lmcore.ui import cache, linked, show
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable
from lmcore.ui.views.example_rows import draw_influences, draw_nearest

if TYPE_CHECKING:
    from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals

SHOWN_FLIPS = 5
AROUND = 120
_PARTS = {"edits": "Edits", "nearest": "Nearest rows", "influence": "Influential rows"}


def draw(version: str, text: Input) -> None:
    """Show edits that change the answer, the nearest rows, or those that the answer hangs on."""
    parts: dict[str, Callable[[str, Input], None]] = {
        "edits": _draw_edits,
        "nearest": draw_nearest,
        "influence": draw_influences,
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
        + (f" The model could not work on {count_of(found.failed, 'text')}." if found.failed else "")
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
