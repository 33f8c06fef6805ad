"""The factors of which a layer's activations are sums: a part of the view Concepts."""

import json
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.concepts.factors import MOST, TOP
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import factors
from lmcore.charts import concepts as charts
from lmcore.charts.figure import Figure
from lmcore.types import Report
from lmcore.ui import cache, linked, show
from lmcore.ui.share import report_button
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
        level = linked.segments("Factors of", ["word", "text"], "concepts_level", format_func=lambda name: f"{name}s")
    with right:
        number = st.number_input("Factors", 2, 50, 8, key="concepts_factors", bind="query-params")
        texts = st.number_input(
            "Texts at most", 10, 5000, FACTOR_TEXTS, key="concepts_factor_texts", bind="query-params",
            help=f"Of all rows, drawn at random; of their words at most {MOST:,} are factored.",
        )  # fmt: skip
    st.caption(f"Reads at most {int(texts):,} texts once and factors at most {MOST:,} vectors of one layer.")
    root = cache.workspace_root()
    arguments = {
        "data": named_data(cache.dataset(ref)), "texts": int(texts), "layer": layer, "factors": int(number),
        "level": level, "most": MOST, "top": TOP, "seed": 0,
    }  # fmt: skip
    found = stoppable(
        "Factoring the activations",
        "concepts_factoring",
        lambda report: _factors(root, version, json.dumps(arguments), report),
    )
    if found is None:
        return
    figures: list[Figure] = []
    for start in range(1, int(number) + 1, 2):
        for factor, cell in zip(range(start, min(start + 2, int(number) + 1)), show.side_by_side(), strict=False):
            with cell:
                figures.append(charts.factor_examples(found, factor=factor))
                show.figure(figures[-1], f"concepts_factor_{factor}")
    st.caption(
        f"Non-negative factors of the {found.level}s' vectors, in standard deviations above and below each feature's mean; "
        f"they leave {found.error:.0%} of them unexplained."
    )
    report_button("factors", version, found, arguments, figures)


@st.cache_data(show_spinner=False)
def _factors(root: str, version: str, arguments: str, _report: Report) -> "Factors":
    with cache.pool().lease(version) as loaded:
        return factors(loaded, cache.stored(_report), **json.loads(arguments))
