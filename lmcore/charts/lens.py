"""Charts of what a model would say after each layer, and of what adds to a logit."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from lmcore.analysis.lens.logit_lens import LogitLens
from lmcore.analysis.residual.direct_logits import LogitAttribution
from lmcore.charts.figure import Figure, bar_height, text_axis, token_axis

MAX_COLUMNS = 16
_ROW = 20
_FEWEST = 5  # rows that a map has room for, so that few of them stay apart
_NAMES = 60  # the slanted names of the tokens, below the cells
_LONGEST = 10
_CELLS = 560  # pixels that all columns together have in most windows
_COLOURS = {
    "probability": ("Probability of what it says", [0, 1]),
    "target": ("Probability of the target", [0, 1]),
    "entropy": ("Entropy (nats)", None),
    "divergence": ("KL from the last layer (nats)", None),
}


def lens_map(lens: LogitLens, colour: str = "probability") -> Figure:
    """Draw what each layer would say at each column, the last layer on top.

    Args:
        lens: what was read; the columns around those that the target is about are drawn where there are many.
        colour: ``probability`` (of what is said), ``target`` (its probability), ``entropy`` or ``divergence``.
    """
    title, domain = _COLOURS[colour]
    columns = _shown_columns(lens)
    frame = lens.to_frame()
    frame = frame[frame["column"].isin(columns)].rename(columns={"target_probability": "target"})
    frame["place"] = [f"{column} {visible(token)}" for column, token in zip(frame["column"], frame["at"], strict=True)]
    frame["said"] = [visible(token)[:_LONGEST] for token in frame["says"]]
    cut = f" (tokens {columns[0] + 1} to {columns[-1] + 1} of {len(lens.columns)})"
    base = alt.Chart(
        frame, title="What each layer would say" + (cut if len(columns) < len(lens.columns) else "")
    ).encode(
        x=alt.X(
            "place:N",
            sort=None,
            axis=token_axis("Read at", len(columns)),
        ),
        y=alt.Y("layer:O", title="Layer (0: embeddings)", sort="descending"),
    )
    cells = base.mark_rect(opacity=0.45).encode(
        color=alt.Color(
            f"{colour}:Q", title=title, scale=alt.Scale(domain=domain) if domain else alt.Scale(domainMin=0)
        ),
        tooltip=[
            alt.Tooltip("at:N", title="read at"),
            "layer:O",
            alt.Tooltip("says:N", title="says"),
            alt.Tooltip("probability:Q", format=".3f"),
            alt.Tooltip("entropy:Q", format=".2f"),
            alt.Tooltip("divergence:Q", format=".2f"),
            alt.Tooltip("target_rank:Q", title="rank of the target"),
        ],
    )
    words = base.mark_text(fontSize=11, limit=min(70, _CELLS // len(columns))).encode(text="said:N")
    chart = (cells + words).properties(height=bar_height(max(lens.layers + 1, _FEWEST), each=_ROW) + _NAMES)
    return Figure(chart, f"What each layer would say. {decided_words(lens)}", frame.drop(columns=["place", "said"]))


def decided_words(lens: LogitLens) -> str:
    """Say where the answer at the target's place is decided."""
    if not len(lens.focus):
        return "The target has no place in what is read."
    column = int(lens.focus[0])
    last = visible(lens.names[int(lens.top[-1, column, 0])])
    layer, wanted = int(lens.decided[column]), int(lens.target_decided[column])
    at = f"At {visible(lens.columns[column])!r} the model says {last!r}, which stays first from layer {layer} on"
    if wanted == layer:
        return f"{at}."
    rank = int(lens.target_ranks[-1, column])
    target = lens.target.label
    return f"{at}; {target!r} ends on rank {rank}." if wanted < 0 else f"{at}; {target!r} from layer {wanted} on."


def lens_trajectory(lens: LogitLens, column: int) -> Figure:
    """Draw by layer, for one column, how probable the target is, its rank, and how open the choice is."""
    frame = lens.trajectory(column).rename(columns={"target_probability": "target", "target_rank": "rank"})
    known = bool((frame["rank"] > 0).all())
    rows = [("Probability of the target", "target"), ("Rank of the target", "rank")] if known else []
    rows += [] if known else [("Probability of what it says", "probability")]
    rows.append(("Entropy (nats)", "entropy"))
    charts = []
    for title, name in rows:
        scale = alt.Scale(type="log", domainMin=1, reverse=True) if name == "rank" else alt.Scale(domainMin=0)
        charts.append(
            alt.Chart(frame, title=title)
            .mark_line(point=True)
            .encode(
                x=alt.X("layer:Q", title="Layer (0: embeddings)", axis=alt.Axis(tickMinStep=1)),
                y=alt.Y(f"{name}:Q", title=title, scale=scale),
                tooltip=["layer:Q", "says:N", alt.Tooltip(f"{name}:Q", format=".3f")],
            )
            .properties(height=150, width="container")
        )
    chart = alt.vconcat(*charts).resolve_scale(y="independent")
    end, start = frame.iloc[-1], frame.iloc[0]
    said = f"At {visible(lens.columns[column])!r} the entropy goes from {start['entropy']:.2f} to {end['entropy']:.2f} nats"
    more = f", the target from rank {start['rank']} to {end['rank']}" if known else ""
    return Figure(chart, f"{said}{more}.", frame)


def logit_parts(found: LogitAttribution, number: int = 20) -> Figure:
    """Draw the parts that add most to a logit, of either sign, and what all others add together."""
    top = found.strongest(number)
    rest = found.value - float(top["score"].sum())
    others = len(found.parts) - len(top)
    frame = top[["name", "score"]].copy()
    if others:
        frame = pd.concat([frame, pd.DataFrame({"name": [f"all {others} others"], "score": [rest]})], ignore_index=True)
    against = found.target.against
    unit = f"Logit of {found.target.label!r}" + (f" less that of {against!r}" if against else "")
    frame["direction"] = np.where(frame["score"] >= 0, "for", "against")
    chart = (
        alt.Chart(frame, title="What each part adds")
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=text_axis("Part of the model")),
            x=alt.X("score:Q", title=visible(unit)),
            color=alt.Color("direction:N", title="Speaks", sort=["for", "against"], legend=alt.Legend(orient="top")),
            tooltip=["name:N", alt.Tooltip("score:Q", format="+.3f")],
        )
        .properties(height=bar_height(len(frame), legend=2))
    )
    listed = ", ".join(f"{name} {score:+.2f}" for name, score in zip(top["name"][:3], top["score"][:3], strict=True))
    return Figure(chart, f"What adds most: {listed}.", found.to_frame())


def head_scores(scores: np.ndarray, *, title: str, unit: str) -> Figure:
    """Draw one signed number for each head.

    Args:
        scores: shape (layers, heads).
        title: of the chart.
        unit: of the numbers.
    """
    layers, heads = np.indices(scores.shape)
    frame = pd.DataFrame({"layer": layers.ravel() + 1, "head": heads.ravel() + 1, "score": scores.ravel()})
    return signed_map(frame, "head:O", "Head", "score", title=title, unit=unit, height=len(scores))


def signed_map(
    frame: pd.DataFrame,
    x: str,
    x_title: str,
    value: str,
    *,
    title: str,
    unit: str,
    height: int,
    names: Sequence[str] = (),
) -> Figure:
    """Draw signed numbers by layer and something else as a heat map whose middle is 0.

    Args:
        frame: ``layer``, what stands along the x axis, and the number.
        x: field and type along the x axis.
        x_title: its title.
        value: the column with the number.
        title: of the chart.
        unit: title of the colour scale.
        height: rows.
        names: further columns for the tooltip.
    """
    limit = float(frame[value].abs().max()) or 1.0
    field, _, kind = x.partition(":")
    axis = token_axis(x_title, frame[field].nunique()) if kind == "N" else alt.Axis(title=x_title, labelAngle=0)
    chart = (
        alt.Chart(frame, title=title)
        .mark_rect()
        .encode(
            x=alt.X(x, sort=None, axis=axis),
            y=alt.Y("layer:O", title="Layer", sort="descending"),
            color=alt.Color(f"{value}:Q", title=unit, scale=alt.Scale(domain=[-limit, limit], domainMid=0)),
            tooltip=["layer:O", *names, x, alt.Tooltip(f"{value}:Q", format="+.3f")],
        )
        .properties(height=bar_height(max(height, _FEWEST), each=_ROW))
    )
    top = frame.iloc[int(frame[value].abs().to_numpy().argmax())]
    where = f"{x_title.lower()} {visible(str(top[field]))} of layer {top['layer']}"
    return Figure(chart, f"{title}. The largest is {top[value]:+.2f} at {where}.", frame)


def visible(token: str) -> str:
    """Return a token as one line in which its spaces can be seen where they are all that it has."""
    shown = token.replace("\n", "↵").replace("\t", "⇥")
    return shown if token.strip() else shown.replace(" ", "␣") or "∅"


def _shown_columns(lens: LogitLens) -> list[int]:
    """Return the columns to draw: all, or those up to the last one that the target is about."""
    count = len(lens.columns)
    if count <= MAX_COLUMNS:
        return list(range(count))
    end = min(count, max(MAX_COLUMNS, int(lens.focus.max(initial=0)) + 1))
    return list(range(end - MAX_COLUMNS, end))
