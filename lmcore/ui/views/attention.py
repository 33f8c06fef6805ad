"""Where each head looks and what it does: maps, roles, flow, contributions, and what hangs on each head."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import streamlit as st

from lmcore.analysis.recipes.heads import MAX_BYTES, map_frame
from lmcore.analysis.trust.attention_map import TokenAttention
from lmcore.charts import analysis as charts
from lmcore.charts import attention as head_charts
from lmcore.charts.analysis import MAX_TOKENS
from lmcore.charts.figure import Figure
from lmcore.types import Input, Report
from lmcore.ui import cache, linked, show
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed, stoppable
from lmcore.ui.stretch import stretch_choice, stretch_name
from lmcore.ui.views import contributions, heads
from lmcore.ui.views.attention_trust import draw_trust
from lmcore.ui.views.explained import frozen, thawed
from lmcore.ui.views.heads import rollouts

if TYPE_CHECKING:
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.analysis.attention.run import Kind
    from lmcore.analysis.reading_cost import ReadingCost

PARTS = {
    "maps": "Maps",
    "roles": "Roles",
    "flow": "Flow",
    "contributions": "Contributions",
    "importance": "Importance",
}
KIND_NAMES = {
    "encoder": "Within the source",
    "decoder": "Within the output",
    "cross": "Output to source",
}


def draw(version: str, text: Input) -> None:
    """Show where the heads look over one input, what they do, how attention flows, what they add, and which heads matter."""
    st.caption("Attention shows where information may flow; it is no explanation of the answer by itself.")
    part = linked.segments("Of the heads", list(PARTS), "analyse_attention_part", format_func=PARTS.__getitem__)
    kinds = _kinds(cache.workspace_root(), version)
    given = frozen(text)
    if part == "contributions":
        contributions.draw(version, given, _output() if len(kinds) > 1 else None)
        return
    kind, output = _kind_and_output(kinds)
    if part == "roles":
        heads.draw_roles(version, given, kind)
    elif part == "importance":
        heads.draw_importance(version, given, kind, output)
    else:
        found = _read(version, given, output)
        if found is None:
            return
        if found[kind].truncated:
            st.warning(found[kind].text_tokens.cut_note)
        if part == "flow":
            heads.draw_flow(version, found, kind, text, output)
        else:
            _draw_maps(version, found, kind, text, output)


def read_maps(version: str, text: Input) -> "AttentionMaps | None":
    """Ask which attention is meant, where there are several kinds, and read it; None where it was not begun or was stopped."""
    kind, output = _kind_and_output(_kinds(cache.workspace_root(), version))
    found = _read(version, frozen(text), output)
    return None if found is None else found[kind]


def _read(version: str, given: "heads.Frozen", output: str | None) -> "dict[Kind, AttentionMaps] | None":
    """Say what reading the attention costs, and read it: at once, or after a click where it is slow."""
    asked = cache.workspace_root(), version, given, output
    cost = _cost(*asked)
    return agreed(
        "Read the attention", f"attention_{hash(asked)}", cost.sentence(), slow=cost.slow,
        work=lambda report: _attention(*asked, report),
    )  # fmt: skip


def _kind_and_output(kinds: "tuple[Kind, ...]") -> "tuple[Kind, str | None]":
    """Ask which attention of an encoder-decoder, and what is taken as its output; others have one kind and no output."""
    if len(kinds) == 1:
        return kinds[0], None
    left, right = show.side_by_side()
    with left:
        names = list(kinds)
        kind = linked.segments(
            "Attention", names, "analyse_attention_kind", format_func=KIND_NAMES.__getitem__, default="cross"
        )
    with right:
        output = _output()
    return cast("Kind", kind), output


def _output() -> str | None:
    """Ask what is taken as the output; None for what the model writes."""
    written = st.text_input(
        "Output", key="analyse_attention_output", placeholder="What the model writes by itself", bind="query-params"
    )
    return written.strip() or None


def _draw_maps(version: str, found: "dict[Kind, AttentionMaps]", kind: "Kind", text: Input, output: str | None) -> None:
    maps = found[kind]
    asked = {"text": text, "kind": kind, "output": maps.output}
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
    drawn = stretch_choice(len(maps.tokens), MAX_TOKENS, "analyse_attention_from")
    number = head - 1 if head else None
    figure = _draw_map(maps, maps.head(layer - 1, number), f"Attention in layer {layer}, {name}", "head", drawn)
    place = {"layer": layer - 1, "head": number}
    report_button("attention", version, maps.to_frame(layer - 1, number), asked | place, [figure])
    if kind != "cross":
        figure = head_charts.head_values(
            maps.distances, title="How far each head looks", unit="Mean distance (tokens)", most="farthest look"
        )
        show.figure(figure, "analyse_distance")
    rolled = _draw_rollout(found, kind, drawn)
    if rolled is not None:
        report_button("rollout", version, map_frame(rolled[0]), asked, [rolled[1]])
    draw_trust(
        version, text, maps,
        [TokenAttention(None, "rollout", kind), TokenAttention(None, "head", kind, layer - 1, number)],
        output,
    )  # fmt: skip


def _draw_map(maps: "AttentionMaps", weights: Any, title: str, key: str, drawn: slice) -> Figure:
    title += stretch_name(drawn, len(maps.tokens))
    if maps.kind == "cross":
        figure = head_charts.output_by_source(weights[:, drawn], maps.rows, maps.tokens[drawn], title=title)
    else:
        figure = charts.token_by_token(weights[drawn, drawn], maps.tokens[drawn], title=title)
    show.figure(figure, f"analyse_map_{key}")
    return figure


def _draw_rollout(found: "dict[Kind, AttentionMaps]", kind: "Kind", drawn: slice) -> tuple[np.ndarray, Figure] | None:
    st.subheader("Rollout")
    rolled = stoppable(
        "Following the attention", "analyse_rolling",
        lambda report: rollouts(found[kind].fingerprint, kind, found, report),
    )  # fmt: skip
    if rolled is None:
        return None
    if kind == "cross":
        source, prefix = rolled
        st.caption(
            "Attention of encoder and decoder multiplied through, with half kept at each step (after Abnar & Zuidema 2020). "
            f"On the mean {source.sum(axis=1).mean():.0%} of a token comes from the source and {prefix.sum(axis=1).mean():.0%} "
            "from what was written before it."
        )
        return source, _draw_map(found[kind], source, "Attention rollout to the source", "rollout", drawn)
    st.caption(
        "Attention of all layers multiplied through, with half kept on each token (Abnar & Zuidema 2020). The model does not "
        "run again for it."
    )
    return rolled[0], _draw_map(found[kind], rolled[0], "Attention rollout", "rollout", drawn)


@st.cache_data(show_spinner="Loading the model …")
def _kinds(root: str, version: str) -> "tuple[Kind, ...]":
    from lmcore.analysis.attention.run import attention_kinds

    with cache.pool().lease(version) as loaded:
        return attention_kinds(loaded)


@st.cache_data(show_spinner=False)
def _cost(root: str, version: str, given: "heads.Frozen", output: str | None) -> "ReadingCost":
    from lmcore.analysis.reading_cost import attention_cost

    with cache.pool().lease(version) as loaded:
        return attention_cost(loaded, thawed(given), output=output, max_bytes=MAX_BYTES)


@st.cache_data(show_spinner=False)
def _attention(
    root: str, version: str, given: "heads.Frozen", output: str | None, _report: Report
) -> "dict[Kind, AttentionMaps]":
    from lmcore.analysis import read_attention

    with cache.pool().lease(version) as loaded:
        return read_attention(loaded, thawed(given), output=output, max_bytes=MAX_BYTES, report=_report)
