"""Two texts, two versions, two methods or two heads side by side, with the difference."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.attribution.methods import ATTRIBUTION, UNITS
from lmcore.charts import contrast as charts
from lmcore.charts.figure import Figure
from lmcore.types import Input, Report, Target
from lmcore.ui import cache, linked, show
from lmcore.ui.forms import method_choice
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed
from lmcore.ui.train import version_label
from lmcore.ui.views.explained import frozen, other_text, target_choice, thawed
from lmcore.ui.views.two_heads import draw_two_heads

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.attribution.contrast import Contrast

SIDES = {"texts": "Two texts", "versions": "Two versions", "methods": "Two methods", "heads": "Two heads"}
Side = tuple[str, "str | tuple[tuple[str, str], ...]", Target, str, str]


def draw(version: str, text: Input) -> None:
    """Ask what the second side differs in, and show both."""
    what = linked.segments("Compare", list(SIDES), "compare_what", format_func=SIDES.__getitem__)
    if what == "heads":
        draw_two_heads(version, text)
        return
    left, right = show.side_by_side()
    with left:
        target, output = target_choice(version, text, "compare")
        method = method_choice("Method", ATTRIBUTION, "compare_method", in_link=True)
        unit = st.segmented_control(
            "By", list(UNITS), default="word", key="compare_unit", required=True, bind="query-params"
        )
    first: Side = (version, frozen(text), target, output, method)
    with right:
        second, names = _second(what, first, text)
    if second is None:
        return
    both = first, second
    found = agreed(
        "Compare", f"compare_{hash(both)}", "Both sides are explained, the second like the first.", slow=False,
        work=lambda report: [_explained(cache.workspace_root(), side, report) for side in both],
    )  # fmt: skip
    if found:
        compared, figure = _show(found[0], found[1], str(unit), names)
        sides = [_asked(one, side) for one, side in zip(found, both, strict=True)]
        model = cache.named_model(second[0]) if second[0] != version else None
        arguments = {"first": sides[0], "second": {**sides[1], "model": model}, "unit": str(unit)}
        report_button("comparison", version, compared, arguments, [figure], title=f"{names[0]} beside {names[1]}")


def _asked(found: "Attribution", side: Side) -> dict[str, Any]:
    """Return one side as the recipe takes it, with every option."""
    return {
        "text": thawed(side[1]), "target": asdict(found.target), "method": found.method, "output": found.output,
        "options": dict(found.parameters),
    }  # fmt: skip


def _second(what: str, first: Side, text: Input) -> tuple[Side | None, tuple[str, str]]:
    """Ask for the other side; returns it, None while it is the same, and what both are called."""
    version, _, target, output, method = first
    if what == "texts":
        other = other_text(version, text, "compare_text", "Other text")
        if other == text:
            st.info("Change a word of the other text.")
            return None, ("", "")
        return (version, frozen(other), replace(target), output, method), ("This text", "Other text")
    if what == "methods":
        names = [name for name in ATTRIBUTION if name != method]
        other_method = method_choice("Other method", ATTRIBUTION, "compare_other_method", names=names, in_link=True)
        return (*first[:4], other_method), (ATTRIBUTION[method].title, ATTRIBUTION[other_method].title)
    task = cache.registry().get(version).task
    others = {str(v.ref): v for v in cache.versions() if v.available and v.task == task and str(v.ref) != version}
    if not others:
        st.info("There is no other version for this task: train one, or compare texts or methods.")
        return None, ("", "")
    chosen = linked.select(
        "Other version", list(others), "compare_version", format_func=lambda ref: version_label(others[ref])
    )
    return (chosen, *first[1:]), (version.removeprefix("models:/"), chosen.removeprefix("models:/"))


def _show(first: "Attribution", second: "Attribution", unit: str, names: tuple[str, str]) -> "tuple[Contrast, Figure]":
    from lmcore.analysis.attribution.contrast import contrast

    found = contrast(first, second, unit=unit)
    cells = show.side_by_side(3, narrowest=160)
    for cell, name, side in zip(cells, names, (first, second), strict=False):
        cell.metric(f"Value: {name}", f"{side.value:+.3f}", border=True)
    agreement = "–" if found.agreement != found.agreement else f"{found.agreement:+.2f}"
    cells[2].metric("Agreement of the ranks", agreement, border=True, help="Spearman's, over what both sides have.")
    if {first.method, second.method} != {first.method}:
        st.caption("Two methods need not have one scale: compare the order and the signs rather than the sizes.")
    figure = charts.side_by_side_scores(found, names)
    show.figure(figure, "compare_scores")
    return found, figure


@st.cache_data(show_spinner=False)
def _explained(root: str, side: Side, _report: Report) -> "Attribution":
    from lmcore.analysis import attribute

    version, text, target, output, method = side
    with cache.pool().lease(version) as loaded:
        return attribute(loaded, thawed(text), target, output=output or None, method=method, report=_report)
