"""Two attention heads side by side: a part of the view Compare."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.charts import attention as head_charts
from lmcore.charts import head_contrast as contrast_charts
from lmcore.charts.figure import Figure
from lmcore.types import Input
from lmcore.ui import linked, show
from lmcore.ui.share import report_button
from lmcore.ui.views.attention import read_maps

if TYPE_CHECKING:
    from lmcore.analysis.attention.maps import AttentionMaps


def draw_two_heads(version: str, text: Input) -> None:
    """Ask for two heads, and show both maps, their difference, and how far apart they look from each token."""
    from lmcore.analysis import contrast_heads

    st.caption("Attention shows where information may flow; it is no explanation of the answer by itself.")
    maps = read_maps(version, text)
    if maps is None:
        return
    if maps.truncated:
        st.warning(maps.text_tokens.cut_note)
    names = _choose(maps)
    first, second = (_numbers(name) for name in names)
    both = contrast_heads(maps, first, second)
    left, right = show.side_by_side(narrowest=200)
    left.metric(
        "Mean distance of the rows", f"{both.distances.mean():.3f}", border=True,
        help="Jensen-Shannon distance: 0 where both heads look alike, 1 where they look at no token in common.",
    )  # fmt: skip
    said = "–" if both.correlation != both.correlation else f"{both.correlation:+.2f}"
    right.metric("Correlation of the maps", said, border=True, help="Pearson's, over all cells.")
    titles = (f"Head {names[0]}", f"Head {names[1]}")
    figures = [_map(maps, weights, title) for weights, title in zip(both.weights, titles, strict=True)]
    figures += [contrast_charts.head_difference(both, titles), contrast_charts.row_distances(both)]
    for start in (0, 2):
        for place, cell in enumerate(show.side_by_side(), start):
            with cell:
                show.figure(figures[place], f"compare_heads_{place}")
    arguments = {"text": text, "kind": maps.kind, "output": maps.output, "first": list(first), "second": list(second)}
    report_button("two_heads", version, both, arguments, figures)


def _choose(maps: "AttentionMaps") -> tuple[str, str]:
    """Ask for both heads; at first they are the one that looks most narrowly and the one that looks most widely."""
    layers, heads = maps.attentions.shape[:2]
    names = [f"{layer}.{head}" for layer in range(1, layers + 1) for head in range(1, heads + 1)]
    spread = np.nan_to_num(maps.entropies).ravel()
    left, right = show.side_by_side(narrowest=200)
    with left:
        first = linked.select("Head (layer.head)", names, "compare_head", default=names[int(spread.argmin())])
    with right:
        second = linked.select("Other head", names, "compare_other_head", default=names[int(spread.argmax())])
    return first, second


def _numbers(name: str) -> tuple[int, int]:
    layer, head = name.split(".")
    return int(layer), int(head)


def _map(maps: "AttentionMaps", weights: np.ndarray, title: str) -> Figure:
    if maps.kind == "cross":
        return head_charts.output_by_source(weights, maps.rows, maps.tokens, title=title)
    return charts.token_by_token(weights, maps.tokens, title=title)
