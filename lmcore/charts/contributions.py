"""Charts of what each part of a model contributes to the residual stream."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height

MAX_TOKENS = 64
_AFTER_SPACE = "substring(datum.label, indexof(datum.label, ' ') + 1)"
_BLOCKS = {"attention": "attention", "cross_attention": "cross-attention", "mlp": "MLP"}


def block_shares(shares: pd.DataFrame, *, title: str) -> Figure:
    """Draw of what the stream consists after each block: a row for each block, the first at the bottom.

    Args:
        shares: as `StreamShares.to_frame` gives them; of several tokens the mean is drawn.
        title: of the chart.
    """
    frame = shares.groupby(["layer", "block", "part"], sort=False)["share"].mean().reset_index()
    frame["after"] = [_after(layer, block) for layer, block in zip(frame["layer"], frame["block"], strict=True)]
    frame["name"] = frame["part"].map(part_name)
    chart = (
        alt.Chart(frame, title=title)
        .mark_rect()
        .encode(
            x=alt.X("name:N", sort=_in_order(frame), axis=alt.Axis(title="Part", labelAngle=-55, labelOverlap=False)),
            y=alt.Y(
                "after:N", sort=list(frame["after"].unique())[::-1], axis=alt.Axis(title="After", labelOverlap=False)
            ),
            color=alt.Color("share:Q", title="Share", scale=alt.Scale(domain=[0, 1])),
            tooltip=["after:N", "name:N", alt.Tooltip("share:Q", format=".3f")],
        )
        .properties(height=bar_height(int(frame["after"].nunique())) + 60)
    )
    top = _largest(frame)
    said = f"What adds most is {top['name']}, with {top['share']:.0%} of the stream after the {top['after']}."
    return Figure(chart, f"{title}. {said}", frame[["layer", "block", "part", "share"]])


def token_shares_of_block(shares: pd.DataFrame, *, title: str) -> Figure:
    """Draw what each part has of the stream after one block, token by token.

    Args:
        shares: one block's rows of `StreamShares.to_frame`; at most the first 64 tokens are drawn.
        title: of the chart.
    """
    shown = shares[shares["position"] < MAX_TOKENS]
    frame = shown.assign(
        column=[f"{n} {token}" for n, token in zip(shown["position"], shown["token"], strict=True)],
        name=shown["part"].map(part_name),
    )
    count = int(shares["position"].max()) + 1
    cut = title if count <= MAX_TOKENS else f"{title} (first {MAX_TOKENS} of {count} tokens)"
    axis = alt.Axis(
        title="Token", labelExpr=_AFTER_SPACE, labelAngle=-55, labelOverlap=False, labelFlush=False, labelLimit=110
    )
    chart = (
        alt.Chart(frame, title=cut)
        .mark_rect()
        .encode(
            x=alt.X("column:N", sort=None, axis=axis),
            y=alt.Y("name:N", sort=_in_order(frame), axis=alt.Axis(title="Part", labelOverlap=False)),
            color=alt.Color("share:Q", title="Share", scale=alt.Scale(domain=[0, 1])),
            tooltip=["column:N", "name:N", alt.Tooltip("share:Q", format=".3f")],
        )
        .properties(height=bar_height(int(frame["part"].nunique())) + 60)
    )
    top = _largest(frame)
    said = f"The largest share besides the stream is that of {top['name']} at {top['token']!r}: {top['share']:.2f}."
    return Figure(chart, f"{title}. {said}", frame[["layer", "block", "part", "position", "token", "share"]])


def _largest(frame: pd.DataFrame) -> pd.Series:
    """Return the row with the largest share of a part that a block added; of equal ones the first."""
    added = frame[frame["part"] != "stream"]
    return added.iloc[int(added["share"].to_numpy().argmax())]


def part_name(part: str) -> str:
    """Return what a part of a sum is called."""
    return {"stream": "what came in", "mlp": "MLP"}.get(part, part)


def _after(layer: int, block: str) -> str:
    return f"{_BLOCKS[block]} of layer {layer}"


def _in_order(frame: pd.DataFrame) -> list[str]:
    """Return the names of the parts: the stream, the heads by number, what else attention adds, the MLP."""
    names = list(dict.fromkeys(frame["name"]))
    return [name for name in names if name != "MLP"] + (["MLP"] if "MLP" in names else [])
