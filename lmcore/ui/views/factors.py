"""The factors of which a layer's activations are sums: a part of the view Concepts."""

from typing import TYPE_CHECKING, Literal, cast

import streamlit as st

from lmcore.charts import concepts as charts
from lmcore.types import Report
from lmcore.ui import cache, show
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    from lmcore.analysis.concepts.factors import Factors

FACTOR_TEXTS = 300


def draw_factors(version: str, ref: str) -> None:
    """Ask which layer, factor it, and show the strongest examples of each factor."""
    layers = cache.layers(version)
    left, right = show.side_by_side()
    with left:
        layer = st.slider(
            "Layer (0: embeddings)", 0, layers, layers, key=f"concepts_layer_{layers}", bind="query-params"
        )
        level = st.segmented_control(
            "Factors of", ["word", "text"], default="word", key="concepts_level", required=True, bind="query-params",
            format_func=lambda name: f"{name}s",
        )  # fmt: skip
    with right:
        number = st.number_input("Factors", 2, 50, 8, key="concepts_factors", bind="query-params")
        texts = st.number_input(
            "Texts at most", 10, 5000, FACTOR_TEXTS, key="concepts_factor_texts", bind="query-params",
            help="Of all rows, drawn at random; of their words at most 3,000 are factored.",
        )  # fmt: skip
    st.caption(f"Reads at most {int(texts):,} texts once and factors at most 3,000 vectors of one layer.")
    root = cache.workspace_root()
    found = stoppable(
        "Factoring the activations",
        "concepts_factoring",
        lambda report: _factors(root, version, ref, layer, str(level), int(number), int(texts), report),
    )
    if found is None:
        return
    for start in range(1, int(number) + 1, 2):
        for factor, cell in zip(range(start, min(start + 2, int(number) + 1)), show.side_by_side(), strict=False):
            with cell:
                show.figure(charts.factor_examples(found, factor=factor), f"concepts_factor_{factor}")
    st.caption(
        f"Non-negative factors of the {found.level}s' vectors, in standard deviations above and below each feature's mean; "
        f"they leave {found.error:.0%} of them unexplained."
    )


@st.cache_data(show_spinner=False)
def _factors(
    root: str, version: str, ref: str, layer: int, level: str, number: int, texts: int, _report: Report
) -> "Factors":
    from lmcore.analysis import find_factors
    from lmcore.tasks import load_task

    data = cache.dataset(ref)
    frame = data.frame if len(data) <= texts else data.frame.sample(texts, random_state=0).sort_index()
    read = [str(text) for text in load_task(data.task).texts(frame)]
    kind = cast(Literal["word", "text"], level)
    with cache.pool().lease(version) as loaded:
        return find_factors(loaded, read, layer=layer, factors=number, level=kind, report=_report)
