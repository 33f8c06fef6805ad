"""Charts of where attention heads look, what they do, and what hangs on them."""

import math
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from lmcore.analysis.attention.role_scores import HEAD_ROLES
from lmcore.charts.figure import FEWEST_ROWS, Figure, bar_height, token_axis

MAX_CELLS = 12_000
DRAWN_CELLS = 5000
MAX_BINS = 24
MAX_TOKENS = 64
SEEN = 0.02


def heads_overview(attentions: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, title: str) -> Figure:
    """Draw the maps of all heads as small multiples: a row of maps for each layer, the first layer at the bottom.

    Where there are more tokens than cells to draw, neighbours share one: its weight is what their rows give, on the mean, to
    all of its columns together, so that a row still sums to 1. Weights below 2 % are left blank, and of more than 5,000 others
    the weakest.

    Args:
        attentions: shape (layers, heads, rows, columns), rows sum to 1.
        rows: the tokens that look.
        columns: the tokens that are looked at.
        title: of the chart.
    """
    layers, heads = attentions.shape[:2]
    bins = max(2, min(MAX_BINS, math.isqrt(MAX_CELLS // (layers * heads))))
    down, across = _bins(len(rows), bins), _bins(len(columns), bins)
    pooled = np.einsum("ri,lhij,cj->lhrc", down / down.sum(axis=1, keepdims=True), attentions, across, optimize=True)
    frame = _overview_frame(pooled, _bin_names(rows, down), _bin_names(columns, across))
    shown = (
        frame[frame["weight"] >= SEEN]
        .nlargest(DRAWN_CELLS, "weight")
        .assign(right=lambda f: f["x"] + 1, below=lambda f: f["y"] + 1)
    )
    wide, high = len(across) + 1, len(down) + 1
    x = _block_axis("x", "Head", heads, wide, f"round((datum.value - {(wide - 1) / 2}) / {wide}) + 1")
    y = _block_axis("y", "Layer", layers, high, f"{layers} - round((datum.value - {(high - 1) / 2}) / {high})")
    cells = (
        alt.Chart(shown, title=title if len(down) == len(rows) else f"{title} (neighbouring tokens together)")
        .mark_rect()
        .encode(
            x=x,
            x2="right:Q",
            y=y,
            y2="below:Q",
            color=alt.Color("weight:Q", title="Weight", scale=alt.Scale(domain=[0, 1])),
            tooltip=["layer:O", "head:O", "from:N", "to:N", alt.Tooltip("weight:Q", format=".2f")],
        )
    )
    columns_between = pd.DataFrame({"x": np.arange(heads + 1) * wide - 0.5})
    rows_between = pd.DataFrame({"y": np.arange(layers + 1) * high - 0.5})
    lines = alt.Chart(columns_between).mark_rule(opacity=0.25).encode(x="x:Q") + alt.Chart(rows_between).mark_rule(
        opacity=0.25
    ).encode(y="y:Q")
    sharp = attentions.max(axis=-1).mean(axis=-1)
    layer, head = np.unravel_index(sharp.argmax(), sharp.shape)
    said = (
        f"{layers} layers of {heads} heads. Head {head + 1} of layer {layer + 1} looks most sharply: on the mean "
        f"{sharp.max():.0%} of its attention goes to one token."
    )
    each = min(72, max(28, 900 // layers))
    chart = (cells + lines).properties(height=bar_height(layers, each=each))
    return Figure(chart, f"{title}: {said}", frame[["layer", "head", "from", "to", "weight"]])


def output_by_source(weights: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, title: str) -> Figure:
    """Draw where the tokens of an output look in its source.

    Args:
        weights: shape (output tokens, source tokens).
        rows: the output's tokens; at most the first 64 are drawn.
        columns: the source's tokens; at most the first 64 are drawn.
        title: of the chart.
    """
    if max(len(rows), len(columns)) > MAX_TOKENS:
        title = f"{title} (first {MAX_TOKENS} tokens of each)"
    weights, rows, columns = weights[:MAX_TOKENS, :MAX_TOKENS], rows[:MAX_TOKENS], columns[:MAX_TOKENS]
    row, column = (places.ravel() for places in np.indices(weights.shape))
    frame = pd.DataFrame(
        {
            "row": row,
            "column": column,
            "output": [f"{n} {rows[n]}" for n in row.tolist()],
            "source": [f"{n} {columns[n]}" for n in column.tolist()],
            "weight": weights.astype(float).ravel(),
        }
    )
    chart = (
        alt.Chart(frame, title=title)
        .mark_rect()
        .encode(
            x=alt.X("source:N", sort=None, axis=token_axis("Source", len(columns))),
            y=alt.Y("output:N", sort=None, axis=token_axis("Token that is written")),
            color=alt.Color("weight:Q", title="Weight", scale=alt.Scale(domainMin=0)),
            tooltip=["output:N", "source:N", alt.Tooltip("weight:Q", format=".3f")],
        )
        .properties(height=bar_height(max(len(rows), FEWEST_ROWS), each=18) + 60)
    )
    top = frame.sort_values("weight").iloc[-1]
    said = f"The strongest link goes from {rows[top['row']]!r} to {columns[top['column']]!r}: {top['weight']:.2f}."
    return Figure(chart, f"{title}. {said}", frame[["row", "column", "output", "source", "weight"]])


def head_values(values: np.ndarray, *, title: str, unit: str, signed: bool = False, most: str = "largest") -> Figure:
    """Draw one number for each head.

    Args:
        values: shape (layers, heads); what is not a number is left blank.
        title: of the chart.
        unit: title of the colour scale.
        signed: whether the sign matters, so that the scale has its middle at 0.
        most: what the head with the largest number, its sign aside, is called.
    """
    layers, heads = (places.ravel() + 1 for places in np.indices(values.shape))
    frame = pd.DataFrame({"layer": layers, "head": heads, "value": values.astype(float).ravel()}).dropna()
    limit = float(frame["value"].abs().max()) if len(frame) else 1.0
    scale = alt.Scale(domain=[-limit, limit], domainMid=0) if signed else alt.Scale(domainMin=0)
    chart = (
        alt.Chart(frame, title=title)
        .mark_rect()
        .encode(
            x=alt.X("head:O", title="Head", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("layer:O", title="Layer", sort="descending", axis=alt.Axis(labelOverlap=False)),
            color=alt.Color("value:Q", title=unit, scale=scale),
            tooltip=["layer:O", "head:O", alt.Tooltip("value:Q", format="+.4g" if signed else ".4g")],
        )
        .properties(height=bar_height(len(values)))
    )
    if frame.empty:
        return Figure(chart, f"{title}: no head has a number.", frame)
    top = frame.sort_values("value", key=np.abs).iloc[-1]
    number = f"{top['value']:+.3g}" if signed else f"{top['value']:.3g}"
    said = (
        f"{title}: the {most} is that of head {top['head']:.0f} of layer {top['layer']:.0f}, {number} ({unit.lower()})."
    )
    return Figure(chart, said, frame)


def head_roles(strongest: pd.DataFrame) -> Figure:
    """Draw the strongest role of each head: its sign and colour, the stronger the fuller.

    Args:
        strongest: ``layer`` and ``head`` from 1, ``role`` and ``score``, as `HeadRoles.strongest` gives them.
    """
    names = {name: f"{role.facts['sign']} {role.title}" for name, role in HEAD_ROLES.items()}
    signs = {name: str(role.facts["sign"]) for name, role in HEAD_ROLES.items()}
    frame = strongest.assign(
        name=strongest["role"].map(lambda role: names.get(role, "No clear role")),
        sign=strongest["role"].map(lambda role: signs.get(role, "")),
    )
    present = [name for name in names.values() if name in set(frame["name"])]
    base = alt.Chart(frame, title="What each head does most").encode(
        x=alt.X("head:O", title="Head", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("layer:O", title="Layer", sort="descending", axis=alt.Axis(labelOverlap=False)),
        tooltip=["layer:O", "head:O", alt.Tooltip("name:N", title="role"), alt.Tooltip("score:Q", format=".2f")],
    )
    cells = (
        base.transform_filter(alt.datum.sign != "")
        .mark_rect()
        .encode(
            color=alt.Color(
                "name:N",
                title="Role",
                sort=present,
                scale=alt.Scale(domain=present),
                legend=alt.Legend(orient="top", columns=3, labelLimit=220),
            ),
            opacity=alt.Opacity("score:Q", scale=alt.Scale(domain=[0, 1]), legend=None),
        )
    )
    marks = base.mark_text(fontSize=13).encode(text="sign:N")
    counts = strongest["role"].value_counts()
    said = ", ".join(f"{str(role).replace('_', ' ')} {count}" for role, count in counts.items())
    layers = int(frame["layer"].nunique())
    chart = (cells + marks).properties(height=bar_height(layers, each=28) + 50)
    return Figure(chart, f"The strongest role of each head, by how many heads have it: {said}.", strongest)


def token_shares(shares: Mapping[str, np.ndarray], tokens: Sequence[str], *, title: str, unit: str) -> Figure:
    """Draw how much each input token has of one output token, by more than one measure.

    Args:
        shares: name of the measure to values, shape (tokens,).
        tokens: at most the first 64 are drawn.
        title: of the chart.
        unit: title of the axis.
    """
    shown = tokens[:MAX_TOKENS]
    frame = pd.concat(
        [
            pd.DataFrame(
                {"position": range(1, len(shown) + 1), "token": shown, "measure": name, "value": v[:MAX_TOKENS]}
            )
            for name, v in shares.items()
        ],
        ignore_index=True,
    )
    frame["name"] = [f"{position} {token}" for position, token in zip(frame["position"], frame["token"], strict=True)]
    order = list(shares)
    chart = (
        alt.Chart(frame, title=title)
        .mark_bar()
        .encode(
            x=alt.X(
                "name:N",
                sort=None,
                axis=token_axis("Input token", len(shown)),
            ),
            xOffset=alt.XOffset("measure:N", sort=order),
            y=alt.Y("value:Q", title=unit, scale=alt.Scale(domainMin=0)),
            color=alt.Color("measure:N", title=None, sort=order, legend=alt.Legend(orient="top")),
            tooltip=["token:N", "measure:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=300)
    )
    tops = [(name, frame[frame["measure"] == name].sort_values("value").iloc[-1]) for name in order]
    said = ", ".join(f"by {name.lower()} most comes from {top['token']!r} ({top['value']:.2f})" for name, top in tops)
    return Figure(chart, f"{title}: {said}.", frame[["position", "token", "measure", "value"]])


def _bins(tokens: int, bins: int) -> np.ndarray:
    """Return which tokens share a cell, 0 or 1 of shape (cells, tokens)."""
    cells = min(tokens, bins)
    owner = np.arange(tokens) * cells // tokens
    found: np.ndarray = (owner[None, :] == np.arange(cells)[:, None]).astype(np.float64)
    return found


def _bin_names(tokens: Sequence[str], bins: np.ndarray) -> list[str]:
    places = [np.flatnonzero(row) for row in bins]
    return [tokens[p[0]] if len(p) == 1 else f"{tokens[p[0]]} … {tokens[p[-1]]}" for p in places]


def _overview_frame(pooled: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Return one row a cell, with its place in a grid of blocks whose gaps are one cell wide."""
    layers, _, down, across = pooled.shape
    layer, head, row, column = (places.ravel() for places in np.indices(pooled.shape))
    return pd.DataFrame(
        {
            "layer": layer + 1,
            "head": head + 1,
            "from": np.asarray(rows, dtype=object)[row],
            "to": np.asarray(columns, dtype=object)[column],
            "weight": pooled.ravel().round(4),
            "x": head * (across + 1) + column,
            "y": (layers - 1 - layer) * (down + 1) + row,
        }
    )


def _block_axis(channel: str, title: str, blocks: int, size: int, label: str) -> alt.X | alt.Y:
    """Return an axis over blocks of cells with the number of each block in its middle."""
    middles = [block * size + (size - 1) / 2 for block in range(blocks)]
    axis = alt.Axis(values=middles, labelExpr=label, grid=False, ticks=False, domain=False, labelOverlap=False)
    scale = alt.Scale(domain=[-0.5, blocks * size - 0.5], nice=False, reverse=channel == "y")
    kind = alt.X if channel == "x" else alt.Y
    return kind(f"{channel}:Q", title=title, axis=axis, scale=scale)
