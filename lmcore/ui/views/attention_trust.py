"""The trust panel beside attention: whether what a token looks at is what the answer hangs on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.attention.flow import said_flows
from lmcore.analysis.recipes.heads import MAX_BYTES
from lmcore.analysis.trust.attention_map import TokenAttention
from lmcore.analysis.trust_cost import WORDS_COST
from lmcore.types import Input, Part, Report, Target
from lmcore.ui import cache, linked, places
from lmcore.ui.trust import measuring, trust_heading
from lmcore.ui.views.explained import frozen, target_choice, thawed

if TYPE_CHECKING:
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.analysis.attention.run import Kind
    from lmcore.analysis.trust.faithfulness import Faithfulness

Text = str | tuple[tuple[str, str], ...]

_MADE = 12  # the map, its edits, and those of random weights


def draw_trust(
    version: str, text: Input, maps: "AttentionMaps", judged: Sequence[TokenAttention], output: str | None = None
) -> None:
    """Offer to measure how far the attention of one token can be trusted as an explanation.

    Args:
        version: which model.
        text: what it reads.
        maps: those that are shown.
        judged: what can be, each of another way; the token is asked for where it has none.
        output: what the model is taken to have written; of the maps where None.
    """
    trust_heading()
    st.caption("It is the attention of one token that is judged: whether what it looks at is what the answer hangs on.")
    target, written = target_choice(version, text, "attention_trust", output=output or maps.output)
    ways = {str(each.way): replace(each, max_bytes=MAX_BYTES) for each in judged}
    way = linked.segments("Map", list(ways), "attention_judged", format_func=lambda way: _title(ways[way]))
    attention = ways[way]
    root, row = cache.workspace_root(), frozen(text)
    token = attention.token
    if token is None:
        token = _ask_token(maps, _predicting(root, version, row, target, written, maps.kind))
    asked = (version, row, target, written, replace(attention, token=token))
    if not _is_read(root, *asked[:-1], token, maps.fingerprint, maps):
        st.info(
            "What is explained is read with other tokens around the text, or less of it, than the map has: take an earlier "
            "token, or another part of the output."
        )
        return
    measuring(f"attention_{hash(asked)}", _cost(maps, attention), lambda report: _measured(root, *asked, report))


def _title(attention: TokenAttention) -> str:
    if attention.way != "head":
        return attention.way.capitalize()
    return f"Layer {attention.layer + 1}, " + ("all heads" if attention.head is None else f"head {attention.head + 1}")


def _ask_token(maps: "AttentionMaps", start: int) -> int:
    """Ask which token looks; at first it is the one at which what is explained is predicted."""
    size = len(maps.rows)
    number = linked.number(
        "Token that looks", 1, size, min(start + 1, size), f"{places.JUDGED_TOKEN}_{size}_{maps.kind}_{start}"
    )
    st.caption(f"It is {maps.rows[number - 1]!r}.")
    return number - 1


def _cost(maps: "AttentionMaps", attention: TokenAttention) -> str:
    if attention.way != "flow":
        return WORDS_COST
    size = len(maps.tokens)
    return f"{WORDS_COST} It also finds some {said_flows(len(maps.attentions), size, size * _MADE)}."


@st.cache_data(show_spinner=False)
def _predicting(root: str, version: str, text: Text, target: Target, output: str, kind: "Kind") -> int:
    from lmcore.analysis.asked import Asked
    from lmcore.analysis.trust.attention_map import predicting_token
    from lmcore.models.reading import read_row

    with cache.pool().lease(version) as loaded:
        reading = read_row(loaded.widest, thawed(text), target, output=output)
        return predicting_token(loaded, Asked(reading, target, output), kind)


@st.cache_data(show_spinner=False)
def _is_read(
    root: str,
    version: str,
    text: Text,
    target: Target,
    output: str,
    token: int,
    fingerprint: str,
    _maps: "AttentionMaps",
) -> bool:
    """Say whether the maps that are shown are those of what is read for the target."""
    from lmcore.analysis.trust.attention_map import is_shown
    from lmcore.models.reading import read_row

    with cache.pool().lease(version) as loaded:
        return is_shown(read_row(loaded.widest, thawed(text), target, output=output), _maps, token)


@st.cache_data(show_spinner=False)
def _measured(
    root: str, version: str, text: Text, target: Target, output: str, attention: TokenAttention, _report: Report
) -> "Faithfulness":
    from lmcore.analysis import judged_attention, measure_faithfulness

    with cache.pool().lease(version) as loaded:
        judged = judged_attention(
            loaded, thawed(text), target, attention=attention, output=output or None, report=Part(_report, 0.0, 0.1)
        )
        return measure_faithfulness(loaded, judged, report=Part(_report, 0.1, 1.0))
