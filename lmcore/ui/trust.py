"""The trust panel: how far a map can be trusted."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from lmcore.analysis.attribution.methods import ATTRIBUTION
from lmcore.charts import attribution as charts
from lmcore.types import Report
from lmcore.ui import cache, show
from lmcore.ui.stopping import agreed

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.trust.faithfulness import Faithfulness

_HELP = {
    "Completeness error": "By how much the scores miss the sum that the method promises. 0 is best.",
    "Comprehensiveness": "How far the target's probability falls without the words that the map puts first, on average over "
    "1, 5, 10, 20 and 50 % of them. More than for random words is better.",
    "Sufficiency": "How far it falls with only these words. Less than for random words is better.",
    "Agreement with other methods": "Mean rank correlation of the words with other methods.",
    "Agreement between seeds": "The same between seeds of a method that draws.",
    "Stability under small edits": "The same with maps of slightly edited texts that leave the probability within 0.1.",
    "Likeness with random weights": "The same with the map of a model whose weights are all random: nearer to 0 is better.",
}


def trust_panel(version: str, attribution: "Attribution") -> None:
    """Offer to measure how far a map can be trusted, and show what came out."""
    said = (
        "Takes words away, asks other methods, edits the text and draws the weights of a copy anew: some hundred model calls, "
        "and as much memory again as the model for a moment."
    )
    key, root = attribution.fingerprint, cache.workspace_root()
    measured_panel(key, said, lambda report: _measured(root, version, key, attribution, report))


def measured_panel(key: str, said: str, measure: "Callable[[Report], Faithfulness]") -> None:
    """Say what measuring costs, offer it, and show what came out.

    Args:
        key: of the map.
        said: what it costs.
        measure: does it, and keeps its own results.
    """
    st.subheader("Can it be trusted?", anchor=False)
    found = agreed("Measure", f"trust_{key}", said, slow=True, work=measure)
    if found is not None:
        _show(found)


def _show(found: "Faithfulness") -> None:
    good = found.warning.startswith("Nothing")
    (st.success if good else st.warning)(found.warning, icon=":material/verified:" if good else ":material/warning:")
    frame = found.to_frame()
    shown = frame[np.isfinite(frame["value"])].rename(
        columns={"check": "Check", "value": "This map", "reference": "A random map", "better": "Better"}
    )
    show.table(
        shown, "trust", alt="Each check with its value for this map and for a random one.", formats={"This map": "%.3f"}
    )
    with st.expander("What each of these is"):
        for name, text in _HELP.items():
            st.markdown(f"**{name}.** {text}")
    show.figure(charts.erasure_falls(found.curve.by_share), "trust_erasure")
    methods = found.agreement.assign(name=[ATTRIBUTION[name].title for name in found.agreement["method"]])
    show.figure(
        charts.rank_correlations(methods, found.chance, title="Agreement with other methods", name="Method"),
        "trust_methods",
    )
    for note, title in zip(methods["note"], methods["name"], strict=True):
        if note:
            st.caption(f"{title}: {note}")
    if len(found.randomised):
        random = found.randomised.rename(columns={"weights": "name"})
        show.figure(
            charts.rank_correlations(
                random, found.chance, title="Likeness with maps of random weights", name="Random weights"
            ),
            "trust_random",
        )


@st.cache_data(show_spinner=False)
def _measured(
    root: str, version: str, fingerprint: str, _attribution: "Attribution", _report: Report
) -> "Faithfulness":
    from lmcore.analysis import measure_faithfulness

    with cache.pool().lease(version) as loaded:
        return measure_faithfulness(loaded, _attribution, report=_report)
