"""Alignment over a data set: how often each layer of a version's encoder links other words than people did."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.link_errors import CHOSEN_HERE, has_links, reading_cost
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import alignment_errors, part
from lmcore.charts import alignment as charts
from lmcore.charts.figure import Figure
from lmcore.types import SPLITS, Report
from lmcore.ui import cache, linked, show, state
from lmcore.ui.links import linking_method
from lmcore.ui.page import empty_state
from lmcore.ui.share import report_button
from lmcore.ui.stopping import begun

if TYPE_CHECKING:
    from lmcore.analysis.link_errors import AlignmentErrors

TASK = "text-alignment"
SEED = 0
_SAMPLES = "the samples words-en-fr and words-zh-en have them"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is measured: hashable, so that results are kept by it."""

    version: str
    dataset: str
    split: str
    method: str
    options: tuple[tuple[str, Any], ...]

    def arguments(self) -> dict[str, Any]:
        """Return it as the recipe takes it."""
        return {
            "data": named_data(cache.dataset(self.dataset)), "split": self.split, "method": self.method,
            "options": dict(self.options), "seed": SEED,
        }  # fmt: skip


def draw_errors(version: str) -> None:
    """Ask for pairs with gold links and a method, say what it takes, measure every layer, and show it."""
    sets = [str(info.ref) for info in cache.datasets() if info.task == TASK]
    if not sets:
        empty_state(
            f"There is no data set whose words people have linked yet: {_SAMPLES}.",
            label="Go to Data",
            page="pages/1_Data.py",
        )
        return
    choice = _choose(version, sets)
    if choice is None:
        return
    pairs = len(part(cache.dataset(choice.dataset), choice.split))
    root = cache.workspace_root()
    found = begun(
        "Measure the layers", "Linking the pairs", "alignment_measure",
        reading_cost(pairs, cache.layers(version) + 1), wanted=choice,
        work=lambda report: _errors(root, choice, report),
    )  # fmt: skip
    if found is not None:
        report_button("alignment_errors", version, found, choice.arguments(), [_show(found)])


def _choose(version: str, sets: list[str]) -> _Choice | None:
    """Ask for the pairs and the method; None, with a sentence, where the pairs have no links."""
    left, right = show.side_by_side()
    with left:
        ref = str(state.pick("dataset", "Data set", sets, default=_own_data(version)))
        split = ""
        if cache.dataset(ref).is_split:
            split = linked.segments(
                "Rows", ["", *SPLITS], "alignment_split", format_func=lambda name: name or "all",
                help="Nothing is learnt from the pairs: choose the layer on dev, and report it on test.",
            )  # fmt: skip
    with right:
        method, options = linking_method()
    if not has_links(part(cache.dataset(ref), split).frame):
        st.info(f"No pair of {ref}{split and ':' + split} has links yet: choose another data set; {_SAMPLES}.")
        return None
    return _Choice(version, ref, split, method, tuple(sorted(options.items())))


def _own_data(version: str) -> str:
    """Return the data set that a version was made with."""
    return str(cache.registry().get(version).facts.get("data", "")).partition(":")[0]


def _show(found: "AlignmentErrors") -> Figure:
    """Show the error rate of every layer as a chart and in a table, with what has to be known of it."""
    for note in found.notes():
        st.warning(note)
    left, right = show.side_by_side()
    figure = charts.layer_errors(found)
    with left:
        show.figure(figure, "alignment_errors")
    with right:
        names = {"aer": "error rate", "low": "from", "high": "to"}
        numbers = dict.fromkeys((*names.values(), "precision", "recall"), "%.3f")
        show.table(
            found.layers.rename(columns=names), "alignment_layers",
            alt="The figures of every layer: error rate with its interval, precision, recall.", formats=numbers,
        )  # fmt: skip
    st.caption(f"{found.verdict()} The dashed line is that of place alone, the diagonal. {CHOSEN_HERE}")
    return figure


@st.cache_data(show_spinner=False)
def _errors(root: str, choice: _Choice, _report: Report) -> "AlignmentErrors":
    with cache.pool().lease(choice.version) as loaded:
        return alignment_errors(loaded, cache.stored(_report), **choice.arguments())
