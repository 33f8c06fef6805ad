"""Charts of attributions: what was written against what was read, and how far a map can be trusted."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, token_axis

MAX_ROWS, MAX_COLUMNS = 80, 48


def output_matrix(frame: pd.DataFrame, *, measure: str) -> Figure:
    """Draw which units that were read each written token comes from.

    Args:
        frame: ``position``, ``unit``, ``part`` (input or output), ``output_position``, ``output`` and ``score``; at most the
            first 48 tokens are drawn, and the 80 units with the largest scores.
        measure: the unit of the scores, such as nats.
    """
    shown = frame[frame["output_position"] < MAX_COLUMNS]
    largest = shown["score"].abs().groupby(shown["position"]).max().nlargest(MAX_ROWS).index
    shown = shown[shown["position"].isin(largest)].copy()
    shown["row"] = [f"{n} {unit}" for n, unit in zip(shown["position"], shown["unit"], strict=True)]
    shown["column"] = [f"{n} {token}" for n, token in zip(shown["output_position"], shown["output"], strict=True)]
    limit = float(np.abs(shown["score"].to_numpy(dtype=float)).max(initial=0.0)) or 1.0
    title = "What each written token comes from"
    if len(shown) < len(frame):
        title += f" (the {len(largest)} units with the largest scores, the first {MAX_COLUMNS} tokens)"
    parts = [part for part in ("input", "output") if (shown["part"] == part).any()]
    maps = [_part_map(shown[shown["part"] == part], part, limit, measure) for part in parts]
    chart = alt.vconcat(*maps, title=title, spacing=8)
    top = shown.iloc[int(np.abs(shown["score"].to_numpy(dtype=float)).argmax())]
    said = f"The strongest link goes from {top['unit']!r} to {top['output']!r}: {top['score']:+.3f}."
    return Figure(chart, f"{title}. {said}", frame)


def _part_map(shown: pd.DataFrame, part: str, limit: float, measure: str) -> Any:
    """Draw one part: what was read, or what was written before."""
    return (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X(
                "column:N",
                sort=None,
                axis=token_axis("Written", shown["column"].nunique()),
            ),
            y=alt.Y(
                "row:N",
                sort=None,
                axis=token_axis({"input": "Read", "output": "Written before"}[part], limit=180, extent=90),
            ),
            color=alt.Color(
                "score:Q",
                title=f"Score ({measure})",
                scale=alt.Scale(domain=[-limit, limit], scheme="blueorange", reverse=True),
            ),
            tooltip=["unit:N", "output:N", alt.Tooltip("score:Q", format="+.4f")],
        )
        .properties(height=18 * shown["position"].nunique())
    )


def erasure_falls(frame: pd.DataFrame) -> Figure:
    """Draw how far the probability falls without the first words, and with only them, beside random rankings.

    Args:
        frame: ``share``, and ``comprehensiveness`` and ``sufficiency`` with ``random_…`` and ``spread_…`` of each.
    """
    parts = []
    for name, said in (("comprehensiveness", "without them"), ("sufficiency", "with only them")):
        for column, who in ((name, "this map"), (f"random_{name}", "random maps")):
            parts.append(
                pd.DataFrame({"share": frame["share"], "fall": frame[column], "ranking": who, "measured": said})
            )
    long = pd.concat(parts, ignore_index=True)
    order = ["this map", "random maps"]
    lines = alt.Legend(orient="bottom", symbolFillColor="gray", symbolStrokeColor="gray")  # seen in light and dark
    chart = (
        alt.Chart(long, title="Fall of the probability by the share of words")
        .mark_line(point=True)
        .encode(
            x=alt.X("share:Q", title="Share of the words", axis=alt.Axis(format="%")),
            y=alt.Y("fall:Q", title="Fall of the probability (0 to 1)"),
            color=alt.Color("measured:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("ranking:N", title=None, sort=order, legend=lines),
            shape=alt.Shape("ranking:N", sort=order, legend=None),
            tooltip=[
                "measured:N",
                "ranking:N",
                alt.Tooltip("share:Q", format=".0%"),
                alt.Tooltip("fall:Q", format=".3f"),
            ],
        )
        .properties(height=380)
    )
    means = frame.mean(numeric_only=True)
    said = (
        f"Without the first words the probability falls by {means['comprehensiveness']:.3f} on average (random words: "
        f"{means['random_comprehensiveness']:.3f}); with only them by {means['sufficiency']:.3f} (random: "
        f"{means['random_sufficiency']:.3f})."
    )
    return Figure(chart, said, long)


def rank_correlations(frame: pd.DataFrame, chance: float, *, title: str, name: str) -> Figure:
    """Draw rank correlations with a map, with the band in which random rankings lie.

    Args:
        frame: ``name`` and ``correlation``, −1 to 1; those that are not numbers are left out.
        chance: half the width of the band.
        title: of the chart.
        name: title of the axis with the names.
    """
    shown = frame[np.isfinite(frame["correlation"])]
    band = pd.DataFrame({"low": [-chance], "high": [chance]})
    base = alt.Chart(shown).encode(
        y=alt.Y("name:N", sort=None, title=name, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
        x=alt.X("correlation:Q", title="Rank correlation (−1 to 1)", scale=alt.Scale(domain=[-1, 1])),
    )
    bars = base.mark_bar().encode(tooltip=["name:N", alt.Tooltip("correlation:Q", format=".2f")])
    random = alt.Chart(band).mark_rect(opacity=0.2).encode(x="low:Q", x2="high:Q")
    listed = ", ".join(f"{n} {c:.2f}" for n, c in zip(shown["name"], shown["correlation"], strict=True))
    chart = alt.layer(random, bars, title=title).properties(height=bar_height(max(len(shown), 1)))
    said = f"{title}: {listed or 'none'}. Random rankings lie between {-chance:.2f} and {chance:.2f} (shaded)."
    return Figure(chart, said, frame)
