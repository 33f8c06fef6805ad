"""The trust panel: how far a map can be trusted."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from lmcore.analysis.attribution.methods import ATTRIBUTION
from lmcore.analysis.trust_cost import WORDS_COST
from lmcore.charts import attribution as charts
from lmcore.types import Report
from lmcore.ui import cache, show
from lmcore.ui.stopping import agreed

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.residual.direct_logits import LogitAttribution
    from lmcore.analysis.residual.shares import StreamShares
    from lmcore.analysis.trust.faithfulness import Faithfulness

_HELP = {
    "Completeness error": "By how much the scores miss the sum that the method promises. 0 is best.",
    "Comprehensiveness": "How far the target's probability falls without the words that the map puts first, on average over "
    "1, 5, 10, 20 and 50 % of them. More than for random words is better.",
    "Sufficiency": "How far it falls with only these words. Less than for random words is better.",
    "Agreement with other methods": "Mean rank correlation with the maps of other methods.",
    "Agreement between seeds": "Mean rank correlation with the maps of other seeds.",
    "Stability under small edits": "Mean rank correlation with maps of slightly edited texts that leave the probability of "
    "what is explained within 0.1.",
    "Likeness with random weights": "Rank correlation with the map of a model whose weights are all random: nearer to 0 is "
    "better.",
}


def trust_panel(version: str, found: "Attribution | LogitAttribution | StreamShares", said: str = WORDS_COST) -> None:
    """Offer to measure how far a map can be trusted, and show what came out."""
    key, root = found.fingerprint, cache.workspace_root()
    measured_panel(key, said, lambda report: _measured(root, version, key, found, report))


def measured_panel(key: str, said: str, measure: "Callable[[Report], Faithfulness]") -> None:
    """Say what measuring costs, offer it, and show what came out.

    Args:
        key: of the map.
        said: what it costs.
        measure: does it, and keeps its own results.
    """
    trust_heading()
    measuring(key, said, measure)


def trust_heading() -> None:
    """Begin the panel; what is asked for besides may follow."""
    st.subheader("Can it be trusted?", anchor=False)


def measuring(key: str, said: str, measure: "Callable[[Report], Faithfulness]") -> None:
    """Do the same below a heading that is there already."""
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
        for name in shown["Check"]:
            st.markdown(f"**{name}.** {_HELP[name]}")
    if len(found.curve.by_share):
        show.figure(charts.erasure_falls(found.curve.by_share), "trust_erasure")
        _show_agreement(found)
    if len(found.randomised):
        random = found.randomised.rename(columns={"weights": "name"})
        show.figure(
            charts.rank_correlations(
                random, found.chance, title="Likeness with maps of random weights", name="Random weights"
            ),
            "trust_random",
        )


def _show_agreement(found: "Faithfulness") -> None:
    methods = found.agreement.assign(name=[ATTRIBUTION[name].title for name in found.agreement["method"]])
    show.figure(
        charts.rank_correlations(methods, found.chance, title="Agreement with other methods", name="Method"),
        "trust_methods",
    )
    for note, those in methods[methods["note"] != ""].groupby("note", sort=False):
        st.caption(f"{', '.join(those['name'])}: {note}")


@st.cache_data(show_spinner=False)
def _measured(
    root: str,
    version: str,
    fingerprint: str,
    _found: "Attribution | LogitAttribution | StreamShares",
    _report: Report,
) -> "Faithfulness":
    from lmcore.analysis import measure_faithfulness

    with cache.pool().lease(version) as loaded:
        return measure_faithfulness(loaded, _found, report=_report)
