"""The part of the attention view that says of what the residual stream consists."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.trust_cost import CONTRIBUTIONS_COST
from lmcore.charts import contributions as charts
from lmcore.types import Report
from lmcore.ui import cache, linked, places, show
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed
from lmcore.ui.trust import trust_panel
from lmcore.ui.views import heads
from lmcore.ui.views.explained import thawed

if TYPE_CHECKING:
    from lmcore.analysis.reading_cost import ReadingCost
    from lmcore.analysis.residual.shares import StreamShares

BLOCK_NAMES = {"attention": "Attention", "cross_attention": "Cross-attention", "mlp": "MLP"}


def draw(version: str, given: heads.Frozen, output: str | None) -> None:
    """Show what each head and each MLP contributes to the stream after every block, and token by token after one of them."""
    st.caption(
        "Each block adds to a token's vector. A part's share is by how much nearer it brings the vector to what it becomes, "
        "measured in L2 lengths and scaled to sum to 1 over the parts (after Ferrando et al. 2022). Attention weights say "
        "where a head looks; this says how much it adds."
    )
    asked = cache.workspace_root(), version, given, output
    cost = _cost(*asked)
    found = agreed(
        "Add up the stream", f"contributions_{hash(asked)}", cost.sentence(), slow=cost.slow,
        work=lambda report: _shares(*asked, report),
    )  # fmt: skip
    if found is None:
        return
    if found.text_tokens.truncated:
        st.warning(found.text_tokens.cut_note)
    if found.output:
        st.markdown(f"Written: **{show.plain(found.output)}**")
    frame = found.to_frame()
    tokens = frame.drop_duplicates("position").set_index("position")["token"]
    size, layers = len(tokens), int(frame["layer"].max())
    number = linked.number("Token (0: the mean of all)", 0, size, 0, f"{places.CONTRIBUTION_TOKEN}_{size}")
    own = frame[frame["position"] == number - 1] if number else frame
    of = f"token {number}, {tokens[number - 1]!r}," if number else "all tokens, on the mean,"
    figures = [charts.block_shares(own, title=f"Of what the stream of {of} consists")]
    show.figure(figures[0], "analyse_contributions")
    left, right = show.side_by_side()
    with left:
        key = f"analyse_contribution_layer_{layers}"
        layer = st.slider("Layer", 1, layers, layers, key=key, bind="query-params") if layers > 1 else 1
    with right:
        blocks = [str(name) for name in frame["block"].unique()]
        block = linked.segments(
            "Block", blocks, "analyse_contribution_block", format_func=BLOCK_NAMES.__getitem__, default="attention"
        )
    chosen = frame[(frame["layer"] == layer) & (frame["block"] == block)]
    title = f"After the {BLOCK_NAMES[block] if block == 'mlp' else BLOCK_NAMES[block].lower()} of layer {layer}, token by token"
    figures.append(charts.token_shares_of_block(chosen, title=title))
    show.figure(figures[1], "analyse_contributions_tokens")
    arguments = {"text": thawed(given), "output": found.output}
    report_button("contributions", version, frame, arguments, figures)
    trust_panel(version, found, CONTRIBUTIONS_COST)


@st.cache_data(show_spinner=False)
def _cost(root: str, version: str, given: heads.Frozen, output: str | None) -> "ReadingCost":
    from lmcore.analysis.reading_cost import contributions_cost

    with cache.pool().lease(version) as loaded:
        return contributions_cost(loaded, thawed(given), output=output)


@st.cache_data(show_spinner=False)
def _shares(root: str, version: str, given: heads.Frozen, output: str | None, _report: Report) -> "StreamShares":
    from lmcore.analysis import stream_contributions

    with cache.pool().lease(version) as loaded:
        return stream_contributions(loaded, thawed(given), output=output, report=_report)
