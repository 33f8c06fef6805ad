"""The parts of the attention view that are about what heads do: roles, flow, and importance."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from lmcore.analysis.attention.flow import flow_seconds, said_flows
from lmcore.analysis.attention.importance_methods import IMPORTANCE
from lmcore.analysis.attention.role_scores import HEAD_ROLES
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.heads import MAX_BYTES, flow_frame, row_inputs
from lmcore.analysis.trust.attention_map import TokenAttention
from lmcore.charts import analysis as charts
from lmcore.charts import attention as head_charts
from lmcore.types import Input, Part, Report, count_of
from lmcore.ui import cache, linked, places, show
from lmcore.ui.analyse import split_data_choice
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed, stoppable
from lmcore.ui.views.attention_trust import draw_trust
from lmcore.ui.views.explained import thawed

if TYPE_CHECKING:
    from lmcore.analysis.attention.importance import HeadImportance
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.analysis.attention.roles import HeadRoles
    from lmcore.analysis.attention.run import Kind

Frozen = str | tuple[tuple[str, str], ...]

OVER = {"text": "This text", "data": "Test rows of a data set"}
ROLE_ROWS = 64
FLOW_TOKENS = 64
SLOW_FLOW = 3.0  # seconds
_WAYS: tuple[Literal["rollout", "flow"], ...] = ("rollout", "flow")
UNITS = {"logits": "Logits", "nats": "Nats", "share": "Share of the vector"}


def draw_roles(version: str, given: Frozen, kind: "Kind") -> None:
    """Show the strongest role of each head, and every head's score for one role."""
    if kind == "cross":
        st.info("Roles are those of self-attention: choose the encoder's or the decoder's.")
        return
    over = linked.segments("Over", list(OVER), "analyse_roles_over", format_func=OVER.__getitem__)
    ref = split_data_choice(version) if over == "data" else ""
    if ref is None:
        st.info("There is no split data set to take rows from.")
        return
    rows = f"up to {ROLE_ROWS} rows" if ref else "the text"
    st.caption(
        f"Reads {rows} and some sequences of random tokens once, and keeps every head's attention while it does."
    )
    found = _roles(version, given, kind, ref)
    if found is None:
        return
    st.caption(
        f"Over {count_of(found.texts, 'text')}. A score is the share of attention that fits the role, "
        f"from 0 to 1. Duplicates and induction are looked for in {found.parameters['sequences']} sequences of "
        f"{found.parameters['length']} random tokens that come twice (Olsson et al. 2022). Resting on the first token, or on "
        "everything, is named only where no other role is clear."
    )
    strongest = found.strongest()
    overview = head_charts.head_roles(strongest)
    show.figure(overview, "analyse_roles")
    role = method_choice("Score of one role", HEAD_ROLES, "analyse_role", in_link=True)
    title = f"{HEAD_ROLES[role].title}: score of each head"
    left, right = show.side_by_side()
    with left:
        figure = head_charts.head_values(found.score(role), title=title, unit="Score (0 to 1)", most="highest score")
        show.figure(figure, "analyse_role_scores")
    with right:
        table = strongest.assign(
            role=strongest["role"].map(lambda name: HEAD_ROLES[name].title if name in HEAD_ROLES else name)
        )
        table = table.sort_values("score", ascending=False, kind="stable")
        alt = "The strongest role of each head, with its score."
        show.table(table, "analyse_roles_table", alt=alt, height=320, formats={"score": "%.2f"})
    arguments = {
        "text": "" if ref else thawed(given), "data": named_data(cache.dataset(ref)) if ref else None, "rows": ROLE_ROWS,
        "kind": kind, **found.parameters,
    }  # fmt: skip
    report_button("roles", version, found, arguments, [overview, figure])


def draw_flow(version: str, found: "dict[Kind, AttentionMaps]", kind: "Kind", text: Input, output: str | None) -> None:
    """Show how much can flow to one output token from each input token, beside the rollout; or to all of them."""
    if kind == "cross":
        st.info("Flow goes through one stack: choose the encoder's or the decoder's self-attention.")
        return
    maps = found[kind]
    size = len(maps.tokens)
    st.caption(
        "Each token of each layer is a node, and attention is how wide the way down is: the flow from an output token to an "
        "input token is what can pass at most (Abnar & Zuidema 2020). Here it is shown as a share of all flows of its token."
    )
    first = size if kind == "decoder" else 1
    number = linked.number("Output token", 1, size, first, f"{places.FLOW_TOKEN}_{size}")
    chosen = number - 1
    both = _flow_and_rollout(found, kind, chosen)
    if both is None:
        return
    flow, rolled = both
    shares = {"Rollout": rolled, "Flow": flow / flow.sum()}
    title = f"What token {number}, {maps.tokens[chosen]!r}, takes from each input token"
    figure = head_charts.token_shares(shares, maps.tokens, title=title, unit="Share (0 to 1)")
    left, right = show.side_by_side()
    with left:
        show.figure(figure, "analyse_flow")
        arguments = {"text": text, "kind": kind, "output": maps.output, "token": chosen}
        report_button("flow", version, flow_frame(flow), arguments, [figure])
        _draw_all_flows(maps)
    with right:
        draw_trust(version, text, maps, [TokenAttention(chosen, way, kind) for way in _WAYS], output)


def _draw_all_flows(maps: "AttentionMaps") -> None:
    """Offer the flow between all tokens, and show it."""
    size = len(maps.tokens)
    if size > FLOW_TOKENS:
        st.caption(
            f"The flow between all tokens is offered for texts of up to {FLOW_TOKENS} tokens; this one has {size}."
        )
        return
    if st.toggle(
        f"Between all tokens ({said_flows(len(maps.attentions), size, size * size)})",
        key="analyse_flow_all",
        bind="query-params",
    ):
        whole = stoppable(
            "Finding the flows", "analyse_flowing", lambda report: _flow(maps.fingerprint, -1, maps, report)
        )
        if whole is None:
            return
        whole = whole / whole.sum(axis=1, keepdims=True)
        show.figure(charts.token_by_token(whole, maps.tokens, title="Attention flow"), "analyse_flow_map")


def _flow_and_rollout(
    found: "dict[Kind, AttentionMaps]", kind: "Kind", token: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Say what the flows to one token cost, and return them with its rollout; None where there are none yet."""
    maps, size = found[kind], len(found[kind].tokens)
    seconds = flow_seconds(len(maps.attentions), size, size)

    def work(report: Report) -> tuple[np.ndarray, np.ndarray]:
        rolled = rollouts(maps.fingerprint, kind, found, Part(report, 0.0, 0.1))[0]
        return _flow(maps.fingerprint, token, maps, Part(report, 0.1, 1.0))[0], rolled[token]

    said = f"This finds {said_flows(len(maps.attentions), size, size)}; the model does not run again."
    return agreed("Find the flows", f"flow_{maps.fingerprint}_{token}", said, slow=seconds > SLOW_FLOW, work=work)


def draw_importance(version: str, given: Frozen, kind: "Kind", output: str | None) -> None:
    """Say what judging the heads costs, and do it when asked."""
    method = method_choice("Method", IMPORTANCE, "analyse_importance", in_link=True)
    options = option_fields(IMPORTANCE[method].options, f"analyse_importance_{method}", in_link=True)
    passes = _passes(cache.workspace_root(), version, method, kind)
    wanted = (version, given, kind, output, method, tuple(sorted(options.items())))
    if st.button(
        f"Judge the heads ({passes} passes of the model)", icon=":material/play_arrow:", key="analyse_judge_heads"
    ):
        st.session_state["analyse_judged"] = wanted
    if st.session_state.get("analyse_judged") != wanted:
        st.caption("Nothing was run yet: the button starts it. Leaving the page or changing a choice stops it too.")
        return
    found = stoppable(
        "Judging the heads", "analyse_judging",
        lambda report: _importance(cache.workspace_root(), *wanted, report),
    )  # fmt: skip
    if found is None:
        return
    signed = bool(IMPORTANCE[method].facts["signed"])
    how = "How much it falls without the head" if signed else "How steeply it changes with the head"
    st.caption(f"Judged by: {show.plain(found.said)}. {how}, in {found.unit}.")
    left, right = show.side_by_side()
    with left:
        figure = head_charts.head_values(
            found.values, title="What hangs on each head", unit=UNITS[found.unit], signed=signed, most="largest"
        )
        show.figure(figure, "analyse_importance_map")
    with right:
        alt, number = "The heads by their importance, the largest first.", "%+.4f" if signed else "%.4f"
        show.table(
            found.to_frame(),
            "analyse_importance_table",
            alt=alt,
            height=320,
            formats={"importance": number},
        )
    arguments = {
        "text": thawed(given), "kind": kind, "output": output or "", "method": method, "options": found.parameters,
    }  # fmt: skip
    report_button("importance", version, found, arguments, [figure])


def _roles(version: str, given: Frozen, kind: "Kind", ref: str) -> "HeadRoles | None":
    return stoppable(
        "Scoring the roles", "analyse_roles",
        lambda report: _roles_of(
            cache.workspace_root(), version, "" if ref else given, kind, ref, ROLE_ROWS, report
        ),
    )  # fmt: skip


@st.cache_data(show_spinner=False)
def _roles_of(
    root: str, version: str, given: Frozen, kind: "Kind", ref: str, rows: int, _report: Report
) -> "HeadRoles":
    from lmcore.analysis import head_roles

    with cache.pool().lease(version) as loaded:
        texts = row_inputs(cache.dataset(ref).part("test"), loaded.task, rows) if ref else [thawed(given)]
        return head_roles(loaded, texts, kind=kind, max_bytes=MAX_BYTES, report=_report)


@st.cache_data(show_spinner=False)
def rollouts(
    fingerprint: str, kind: "Kind", _found: "dict[Kind, AttentionMaps]", _report: Report
) -> tuple[np.ndarray, ...]:
    """Return the rollout of one kind of attention; of cross-attention what comes from the source, and from the output."""
    from lmcore.analysis import attention_rollout, cross_rollout

    if kind == "cross":
        maps = [_found[name].attentions for name in ("encoder", "decoder", "cross")]
        return cross_rollout(maps[0], maps[1], maps[2], report=_report)
    return (attention_rollout(_found[kind].attentions, report=_report),)


@st.cache_data(show_spinner=False)
def _flow(fingerprint: str, token: int, _maps: "AttentionMaps", _report: Report) -> np.ndarray:
    from lmcore.analysis import attention_flow

    return attention_flow(_maps.attentions, tokens=None if token < 0 else [token], report=_report)


@st.cache_data(show_spinner=False)
def _passes(root: str, version: str, method: str, kind: "Kind") -> int:
    from lmcore.analysis import importance_passes

    with cache.pool().lease(version) as loaded:
        return importance_passes(loaded, method, kind=kind)


@st.cache_data(show_spinner=False)
def _importance(
    root: str,
    version: str,
    given: Frozen,
    kind: "Kind",
    output: str | None,
    method: str,
    options: tuple[tuple[str, Any], ...],
    _report: Report,
) -> "HeadImportance":
    from lmcore.analysis import head_importance

    with cache.pool().lease(version) as loaded:
        return head_importance(
            loaded, thawed(given), method=method, kind=kind, output=output, report=_report, **dict(options)
        )
