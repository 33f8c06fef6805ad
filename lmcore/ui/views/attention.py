"""Where each head looks, how widely, and the rollout through all layers."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.ui import cache, show

if TYPE_CHECKING:
    from lmcore.analysis.attention import AttentionMaps

ENTRIES = 32


def draw(version: str, text: str) -> None:
    """Show one head's attention, how widely each head looks, and the rollout through all layers."""
    from lmcore.analysis import attention_rollout

    maps = _attention(cache.workspace_root(), version, text)
    layers, heads = maps.attentions.shape[:2]
    st.caption("Attention shows where information may flow; it is no explanation of the answer by itself.")
    left, right = show.side_by_side()
    with left:
        key = f"analyse_attention_{layers}_{heads}"
        layer = st.slider("Layer", 1, layers, layers, key=f"{key}_layer", bind="query-params") if layers > 1 else 1
        head = st.slider("Head (0: all heads averaged)", 0, heads, 0, key=f"{key}_head", bind="query-params")
    with right:
        show.figure(charts.head_entropies(maps.entropies), "analyse_entropy")
    at_layer = maps.attentions[layer - 1]
    weights = at_layer[head - 1] if head else at_layer.mean(axis=0)
    name = f"head {head}" if head else "all heads averaged"
    title = f"Attention in layer {layer}, {name}"
    show.figure(charts.token_by_token(weights, maps.tokens, title=title), f"analyse_attention_{layer}_{head}")
    st.subheader("Rollout")
    st.caption("Attention of all layers multiplied through, with half kept on each token (Abnar & Zuidema 2020).")
    show.figure(
        charts.token_by_token(attention_rollout(maps.attentions), maps.tokens, title="Attention rollout"),
        "analyse_rollout",
    )


@st.cache_resource(max_entries=ENTRIES, show_spinner="Reading the attention …")
def _attention(root: str, version: str, text: str) -> "AttentionMaps":
    from lmcore.analysis import attention_maps

    with cache.pool().lease(version) as loaded:
        return attention_maps(loaded, text)
