"""Charts of one prediction, and of what the prediction server answered."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import ROW_HEIGHT, Figure, text_axis
from lmcore.serving.monitor import ServingStats

MOST_LABELS = 20
MOST_BARS = 120
_FEWEST_BARS = 30
_FRAME_HEIGHT = 120  # of title, axis and its title, which a page counts into the chart's height
_TIME_HEIGHT = 320
_STEPS = (1, 5, 15, 60, 360, 1440)
_TIME = "Time (your time zone)"
_CLOCK = {"hours": "%H:%M", "minutes": "%H:%M"}  # by default Vega gives the hours from 1 to 12 alone
_TIME_HOVER = alt.Tooltip("time:T", title="Time", format="%d %b %Y, %H:%M")
_QUANTILES = {"p50_ms": "p50 (half are faster)", "p95_ms": "p95", "p99_ms": "p99"}


def probability_bars(probabilities: Mapping[str, float]) -> Figure:
    """Draw the probability of each class, the highest first; of many classes the most probable ones."""
    data = pd.DataFrame(probabilities.items(), columns=["label", "probability"])
    data = data.sort_values("probability", ascending=False, kind="stable")
    title = f"The {MOST_LABELS} most probable of {len(data)} classes" if len(data) > MOST_LABELS else "Classes"
    axis = alt.X("probability:Q", title="Probability (0 to 1)", scale=alt.Scale(domain=[0, 1]))
    chart = _bars(data, axis, f"{title} by probability")
    said = "; ".join(f"{row.label} {row.probability:.3f}" for row in data.head(3).itertuples())
    return Figure(chart, f"Probabilities, the highest first: {said}.", data)


def label_shares(labels: Mapping[str, float]) -> Figure:
    """Draw which share of all predictions each label has; of many labels the most frequent ones.

    Args:
        labels: label to its share, 0 to 1.
    """
    data = pd.DataFrame(labels.items(), columns=["label", "share"])
    data = data.sort_values("share", ascending=False, kind="stable")
    title = f"The {MOST_LABELS} most frequent of {len(data)} labels" if len(data) > MOST_LABELS else "Predicted labels"
    axis = alt.X("share:Q", title="Share of predicted texts (%)", axis=alt.Axis(format=".0%", tickCount=8))
    chart = _bars(data, axis, title)
    first = data.iloc[0]
    return Figure(chart, f"{first['label']} is predicted most often: {first['share']:.1%} of the texts.", data)


def request_counts(stats: ServingStats) -> Figure:
    """Draw how many requests were answered and how many ended in an error, minute by minute.

    Over a long time a bar stands for several minutes, so that there are at most 120 of them.
    """
    table, step = _by_step(stats.minutes)
    counts = pd.DataFrame({"answered": table["requests"] - table["errors"], "error": table["errors"]}).fillna(0)
    data = counts.rename_axis("time").reset_index().melt("time", var_name="outcome", value_name="requests")
    data = data.astype({"requests": int}).assign(end=data["time"] + pd.Timedelta(minutes=step))
    # The errors stand on the answered requests; a bar that has both its ends in time does not stack by itself.
    data["low"] = np.where(data["outcome"] == "error", data.groupby("time")["requests"].transform("first"), 0)
    data["high"] = data["low"] + data["requests"]
    title = f"Requests per {_per(step)}"
    chart = (
        alt.Chart(data, title=title)
        .mark_rect()
        .encode(
            x=alt.X("time:T", title=_TIME, axis=alt.Axis(format=_CLOCK)),
            x2="end:T",
            y=alt.Y("low:Q", title=title, axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(zero=True)),
            y2="high:Q",
            color=alt.Color("outcome:N", title=None, sort=["answered", "error"], legend=alt.Legend(orient="top")),
            tooltip=[_TIME_HOVER, alt.Tooltip("outcome:N", title="Outcome"), alt.Tooltip("requests:Q", format="d")],
        )
        .properties(height=_TIME_HEIGHT)
    )
    said = f"{stats.requests} requests, {stats.errors} of them errors; at most {counts.sum(axis=1).max():.0f}"
    return Figure(chart, f"{said} per {_per(step)}.", data[["time", "end", "outcome", "requests"]])


def latency_quantiles(stats: ServingStats) -> Figure:
    """Draw the quantiles of the latency over time; where a point stands for several minutes, it is the slowest one."""
    table, step = _by_step(stats.minutes)
    title = "Latency by minute" if step == 1 else f"Latency in the slowest minute of each {_per(step)}"
    wide = table[list(_QUANTILES)].rename(columns=_QUANTILES).rename_axis("time").reset_index()
    data = wide.melt("time", var_name="quantile", value_name="latency")
    order = list(_QUANTILES.values())
    color = alt.Color("quantile:N", title=None, sort=order, legend=alt.Legend(orient="top"))
    marks = alt.Chart(data, title=title).encode(
        x=alt.X("time:T", title=_TIME, axis=alt.Axis(format=_CLOCK)),
        y=alt.Y("latency:Q", title="Latency (ms)", scale=alt.Scale(zero=True)),
        color=color,
        tooltip=[
            _TIME_HOVER,
            alt.Tooltip("quantile:N", title="Quantile"),
            alt.Tooltip("latency:Q", title="Latency (ms)", format=".1f"),
        ],
    )
    points = marks.mark_point(filled=True, size=50, opacity=1).encode(
        shape=alt.Shape("quantile:N", title=None, sort=order, legend=alt.Legend(orient="top"))
    )
    said = ", ".join(f"{name} {value:.1f} ms" for name, value in stats.latency_ms.items())
    chart = (marks.mark_line() + points).properties(height=_TIME_HEIGHT)
    return Figure(
        chart, f"Latency of all requests shown: {said or 'none was answered'}.", data.dropna(ignore_index=True)
    )


def _bars(data: pd.DataFrame, axis: alt.X, title: str) -> alt.LayerChart:
    shown, value = data.head(MOST_LABELS), data.columns[1]
    base = alt.Chart(shown, title=title).encode(
        x=axis,
        y=alt.Y("label:N", sort=list(shown["label"]), axis=text_axis("Class")),
        tooltip=[alt.Tooltip("label:N", title="Class"), alt.Tooltip(f"{value}:Q", format=".1%")],
    )
    numbers = base.mark_text(align="left", dx=4).encode(text=alt.Text(f"{value}:Q", format=".1%"))
    chart: alt.LayerChart = (base.mark_bar() + numbers).properties(height=_FRAME_HEIGHT + ROW_HEIGHT * len(shown))
    return chart


def _by_step(minutes: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Join minutes to at least 30 steps of equal length; those in which nothing came are empty rows."""
    times = minutes["minute"]
    span = (times.max() - times.min()) / pd.Timedelta(minutes=1) + 1
    step = next((step for step in _STEPS if span <= step * MOST_BARS), _STEPS[-1])
    totals = {"requests": "sum", "errors": "sum", **dict.fromkeys(_QUANTILES, "max")}
    table = minutes.groupby(times.dt.floor(f"{step}min")).agg(totals)
    last = table.index[-1]
    first = min(table.index[0], last - pd.Timedelta(minutes=step * (_FEWEST_BARS - 1)))
    return table.reindex(pd.date_range(first, last, freq=f"{step}min")), step


def _per(step: int) -> str:
    if step < 60:
        return "minute" if step == 1 else f"{step} minutes"
    return "hour" if step == 60 else "day" if step == 1440 else f"{step // 60} hours"
