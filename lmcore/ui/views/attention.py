"""Where each head looks and what it does: maps, roles, flow, contributions, and what hangs on each head."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.charts import attention as head_charts
from lmcore.settings import MIB
from lmcore.types import Input
from lmcore.ui import cache, show
from lmcore.ui.views import contributions, heads

if TYPE_CHECKING:
    from lmcore.analysis.attention import AttentionMaps
    from lmcore.analysis.attention_run import Kind

PAGE_BYTES = 128 * MIB
ENTRIES = 4
PARTS = ("Maps", "Roles", "Flow", "Contributions", "Importance")
KIND_NAMES = {
    "encoder": "Encoder: source to source",
    "decoder": "Decoder: output to output",
    "cross": "Cross: output to source",
}


def draw(version: str, text: Input) -> None:
    """Show where the heads look over one input, what they do, how attention flows, what they add, and which heads matter."""
    st.caption("Attention shows where information may flow; it is no explanation of the answer by itself.")
    part = st.segmented_control(
        "Of the heads", PARTS, default=PARTS[0], key="analyse_attention_part", required=True, bind="query-params"
    )
    kinds = _kinds(cache.workspace_root(), version)
    given = heads.frozen(text)
    if part == "Contributions":
        contributions.draw(version, given, _output() if len(kinds) > 1 else None)
        return
    kind, output = _kind_and_output(kinds)
    if part == "Roles":
        heads.draw_roles(version, given, kind)
    elif part == "Importance":
        heads.draw_importance(version, given, kind, output)
    else:
        found = _attention(cache.workspace_root(), version, given, output)
        if found[kind].truncated:
            st.warning("The text is longer than the model's limit: only its beginning was read.")
        if part == "Flow":
            heads.draw_flow(found, kind)
        else:
            _draw_maps(found, kind)


def _kind_and_output(kinds: "tuple[Kind, ...]") -> "tuple[Kind, str | None]":
    """Ask which attention of an encoder-decoder, and what is taken as its output; others have one kind and no output."""
    if len(kinds) == 1:
        return kinds[0], None
    left, right = show.side_by_side()
    with left:
        kind: Kind = st.segmented_control(
            "Attention",
            kinds,
            default="cross",
            format_func=lambda name: KIND_NAMES[name],
            key="analyse_attention_kind",
            required=True,
            bind="query-params",
        )
    with right:
        output = _output()
    return kind, output


def _output() -> str | None:
    """Ask what is taken as the output; None for what the model writes."""
    written = st.text_input(
        "Output", key="analyse_attention_output", placeholder="What the model writes by itself", bind="query-params"
    )
    return written.strip() or None


def _draw_maps(found: "dict[Kind, AttentionMaps]", kind: "Kind") -> None:
    maps = found[kind]
    if maps.output:
        st.markdown(f"Written: **{show.plain(maps.output)}**")
    title = "Where all heads look"
    show.figure(head_charts.heads_overview(maps.attentions, maps.rows, maps.tokens, title=title), "analyse_heads")
    layers, heads_of_layer = maps.attentions.shape[:2]
    left, right = show.side_by_side()
    with left:
        key = f"analyse_attention_{layers}_{heads_of_layer}"
        layer = st.slider("Layer", 1, layers, layers, key=f"{key}_layer", bind="query-params") if layers > 1 else 1
        head = st.slider("Head (0: all heads averaged)", 0, heads_of_layer, 0, key=f"{key}_head", bind="query-params")
    with right:
        show.figure(charts.head_entropies(maps.entropies), "analyse_entropy")
    name = f"head {head}" if head else "all heads averaged"
    _draw_map(maps, maps.head(layer - 1, head - 1 if head else None), f"Attention in layer {layer}, {name}", "head")
    if kind != "cross":
        figure = head_charts.head_values(
            maps.distances, title="How far each head looks", unit="Mean distance (tokens)", most="farthest look"
        )
        show.figure(figure, "analyse_distance")
    _draw_rollout(found, kind)


def _draw_map(maps: "AttentionMaps", weights: Any, title: str, key: str) -> None:
    if maps.kind == "cross":
        figure = head_charts.output_by_source(weights, maps.rows, maps.tokens, title=title)
    else:
        figure = charts.token_by_token(weights, maps.tokens, title=title)
    show.figure(figure, f"analyse_map_{key}")


def _draw_rollout(found: "dict[Kind, AttentionMaps]", kind: "Kind") -> None:
    from lmcore.analysis import attention_rollout, cross_rollout

    st.subheader("Rollout")
    if kind == "cross":
        source, prefix = cross_rollout(*(found[name].attentions for name in ("encoder", "decoder", "cross")))
        st.caption(
            "Attention of encoder and decoder multiplied through, with half kept at each step (after Abnar & Zuidema 2020). "
            f"On the mean {source.sum(axis=1).mean():.0%} of a token comes from the source and {prefix.sum(axis=1).mean():.0%} "
            "from what was written before it."
        )
        _draw_map(found[kind], source, "Attention rollout to the source", "rollout")
        return
    st.caption("Attention of all layers multiplied through, with half kept on each token (Abnar & Zuidema 2020).")
    _draw_map(found[kind], attention_rollout(found[kind].attentions), "Attention rollout", "rollout")


@st.cache_data(max_entries=64, show_spinner="Loading the model …")
def _kinds(root: str, version: str) -> "tuple[Kind, ...]":
    from lmcore.analysis.attention_run import attention_kinds

    with cache.pool().lease(version) as loaded:
        return attention_kinds(loaded)


@st.cache_resource(max_entries=ENTRIES, show_spinner="Reading the attention …")
def _attention(root: str, version: str, given: "heads.Frozen", output: str | None) -> "dict[Kind, AttentionMaps]":
    from lmcore.analysis import read_attention

    with cache.pool().lease(version) as loaded:
        return read_attention(loaded, heads.thawed(given), output=output, max_bytes=PAGE_BYTES)
