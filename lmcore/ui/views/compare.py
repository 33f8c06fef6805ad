"""Two texts, two versions or two methods side by side, with the difference."""

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.methods import ATTRIBUTION, UNITS
from lmcore.charts import contrast as charts
from lmcore.types import Input, Report, Target
from lmcore.ui import cache, show
from lmcore.ui.agreed import agreed
from lmcore.ui.forms import method_choice
from lmcore.ui.train import version_label
from lmcore.ui.views.explained import frozen, other_text, target_choice, thawed

if TYPE_CHECKING:
    from lmcore.analysis.attribution import Attribution

TEXTS, VERSIONS, METHODS = "Two texts", "Two versions", "Two methods"
Side = tuple[str, "str | tuple[tuple[str, str], ...]", Target, str, str]


def draw(version: str, text: Input) -> None:
    """Ask what the second side differs in, and show both."""
    what = st.segmented_control(
        "Compare", [TEXTS, VERSIONS, METHODS], default=TEXTS, key="compare_what", required=True, bind="query-params"
    )
    left, right = show.side_by_side()
    with left:
        target, output = target_choice(version, text, "compare")
        method = method_choice("Method", ATTRIBUTION, "compare_method", in_link=True)
        unit = st.segmented_control(
            "By", list(UNITS), default="word", key="compare_unit", required=True, bind="query-params"
        )
    first: Side = (version, frozen(text), target, output, method)
    with right:
        second, names = _second(str(what), first, text)
    if second is None:
        return
    both = first, second
    found = agreed(
        "Compare", f"compare_{hash(both)}", "Both sides are explained, the second like the first.", slow=False,
        work=lambda report: [_explained(cache.workspace_root(), side, report) for side in both],
    )  # fmt: skip
    if found:
        _show(found[0], found[1], str(unit), names)


def _second(what: str, first: Side, text: Input) -> tuple[Side | None, tuple[str, str]]:
    """Ask for the other side; returns it, None while it is the same, and what both are called."""
    version, _, target, output, method = first
    if what == TEXTS:
        other = other_text(text, "compare_text", "Other text")
        if other == text:
            st.info("Change a word of the other text.")
            return None, ("", "")
        return (version, frozen(other), replace(target), output, method), ("This text", "Other text")
    if what == METHODS:
        names = [name for name in ATTRIBUTION if name != method]
        other_method = method_choice("Other method", ATTRIBUTION, "compare_other_method", names=names, in_link=True)
        return (*first[:4], other_method), (ATTRIBUTION[method].title, ATTRIBUTION[other_method].title)
    task = cache.registry().get(version).task
    others = {str(v.ref): v for v in cache.versions() if v.available and v.task == task and str(v.ref) != version}
    if not others:
        st.info("There is no other version for this task: train one, or compare texts or methods.")
        return None, ("", "")
    chosen = st.selectbox(
        "Other version", list(others), format_func=lambda ref: version_label(others[ref]), key="compare_version",
        bind="query-params",
    )  # fmt: skip
    return (str(chosen), *first[1:]), (version.removeprefix("models:/"), str(chosen).removeprefix("models:/"))


def _show(first: "Attribution", second: "Attribution", unit: str, names: tuple[str, str]) -> None:
    from lmcore.analysis.contrasting import contrast

    found = contrast(first, second, unit=unit)
    cells = show.side_by_side(3, narrowest=160)
    for cell, name, side in zip(cells, names, (first, second), strict=False):
        cell.metric(f"Value: {name}", f"{side.value:+.3f}", border=True)
    agreement = "–" if found.agreement != found.agreement else f"{found.agreement:+.2f}"
    cells[2].metric("Agreement of the ranks", agreement, border=True, help="Spearman's, over what both sides have.")
    if {first.method, second.method} != {first.method}:
        st.caption("Two methods need not have one scale: compare the order and the signs rather than the sizes.")
    show.figure(charts.side_by_side_scores(found, names), "compare_scores")


@st.cache_data(show_spinner=False)
def _explained(root: str, side: Side, _report: Report) -> "Attribution":
    from lmcore.analysis import attribute

    version, text, target, output, method = side
    with cache.pool().lease(version) as loaded:
        return attribute(loaded, thawed(text), target, output=output or None, method=method, report=_report)
