"""Charts of searches: their history, the importance of settings, and parallel coordinates."""

import math
from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.training.tuning.importance import Importance
from lmcore.training.tuning.result import SearchResult, shown_value
from lmcore.training.tuning.space import Choices, Dimension

MARKED = ("finished", "stopped early", "running")
_DASHES = {"finished": [1, 0], "stopped early": [4, 3]}


def search_history(result: SearchResult) -> Figure:
    """Draw the value of each trial, and the best so far as a line; the shape says how the trial ended."""
    data = result.trials[result.trials["state"].isin(MARKED) & result.trials["value"].notna()].copy()
    sign = 1 if result.metric.higher else -1
    finished = result.trials["value"].where(result.trials["state"] == "finished")
    result_best = sign * (sign * finished).cummax().ffill()
    data["best so far"] = result_best.loc[data.index]
    metric = result.metric
    base = alt.Chart(data, title=f"{metric.title} on dev by trial, with the best so far").encode(
        x=alt.X("trial:Q", title="Trial", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(zero=False))
    )
    y_title = f"{metric.title} ({metric.unit})"
    marks = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=alt.Y("value:Q", title=y_title, scale=alt.Scale(zero=False), axis=alt.Axis(format=".4~g")),
        color=alt.Color("state:N", title=None, sort=list(MARKED), legend=alt.Legend(orient="top")),
        shape=alt.Shape("state:N", title=None, sort=list(MARKED), legend=alt.Legend(orient="top")),
        tooltip=["trial:Q", "state:N", alt.Tooltip("value:Q", format=".4f"), *_hover(result.space)],
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(y="best so far:Q")
    chart = (line + marks).properties(height=300)
    return Figure(chart, result.verdict, data)


def importance_bars(importance: Importance) -> Figure:
    """Draw the share of the differences between trials that each setting explains."""
    data = importance.shares.assign(setting=importance.shares["setting"].map(_title))
    order = data["setting"].tolist()
    base = alt.Chart(data, title="Importance of the settings").encode(
        y=alt.Y("setting:N", sort=order, axis=text_axis("Setting")),
        x=alt.X("share:Q", title="Share of the explained variance (0 to 1)", scale=alt.Scale(domain=[0, 1])),
    )
    bars = base.mark_bar(height={"band": 0.7}).encode(tooltip=["setting:N", alt.Tooltip("share:Q", format=".1%")])
    numbers = base.mark_text(align="left", dx=4).encode(text=alt.Text("share:Q", format=".0%"))
    said = ", ".join(f"{name} {share:.0%}" for name, share in zip(order, data["share"], strict=True))
    chart = (bars + numbers).properties(height=bar_height(len(data)))
    return Figure(chart, f"What explains the differences: {said}. {importance.note}", data)


def parallel_coordinates(result: SearchResult) -> Figure:
    """Draw each trial as a line over its settings and its figure, which also colours it; dashed where it was stopped early.

    Each axis goes from its lowest to its highest value, by orders of magnitude where the range does.
    """
    metric = result.metric
    trials = result.trials[result.trials["state"].isin(_DASHES) & result.trials["value"].notna()]
    value = f"{metric.title} on dev"
    places = {_title(name): _places(dimension) for name, dimension in result.space.items()} | {
        value: _between(*_ends_of(trials["value"]), log=False)
    }
    order = list(places)
    rows = []
    for _, row in trials.iterrows():
        for axis, name in zip(order, [*result.space, "value"], strict=True):
            said = metric_text(result, row[name]) if name == "value" else shown_value(row[name])
            fixed = {"trial": int(row["trial"]), "state": row["state"], "value": float(row["value"])}
            rows.append({**fixed, "axis": axis, "place": places[axis].place(row[name]), "setting": said})
    columns = ["trial", "state", "value", "axis", "place", "setting"]
    data = pd.DataFrame(rows, columns=columns)
    ticks = pd.DataFrame(
        [{"axis": axis, "place": place, "label": label} for axis in order for place, label in places[axis].ticks]
    )
    x_axis = alt.Axis(labelAngle=-25, labelLimit=110, labelOverlap=False, orient="top", grid=True)
    x = alt.X("axis:N", sort=order, title="Setting", axis=x_axis)
    y = alt.Y("place:Q", title="From lowest to highest", axis=alt.Axis(labels=False, ticks=False, grid=False))
    low, high = _ends_of(trials["value"])
    # The ramp begins before its first trial, so that no line is as pale as the ground; the best is the strongest.
    ends = [low - (high - low) / 2, high] if metric.higher else [low, high + (high - low) / 2]
    color = alt.Color(
        "value:Q",
        title=value,
        sort="ascending" if metric.higher else "descending",
        scale=alt.Scale(domain=ends, zero=False),
        legend=alt.Legend(orient="bottom"),
    )
    base = alt.Chart(data, title="Settings and figure of each trial")
    lines = base.mark_line(strokeWidth=1.5).encode(
        x=x,
        y=y,
        detail="trial:N",
        color=color,
        strokeDash=alt.StrokeDash(
            "state:N",
            title=None,
            scale=alt.Scale(domain=list(_DASHES)),
            legend=alt.Legend(orient="bottom"),
        ),
        opacity=alt.condition("datum.state == 'finished'", alt.value(0.9), alt.value(0.45)),
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        x=x,
        y=y,
        color=color,
        tooltip=["trial:Q", "state:N", "axis:N", "setting:N", alt.Tooltip("value:Q", title=value, format=".4f")],
    )
    labels = alt.Chart(ticks).mark_text(align="left", dx=7, fontSize=11).encode(x=x, y=y, text="label:N")
    chart = (lines + points + labels).properties(height=380)
    return Figure(chart, f"{len(trials)} trials over {len(result.space)} settings. {result.verdict}", data)


def metric_text(result: SearchResult, value: Any) -> str:
    """Return a figure as text."""
    return result.show(float(value))


class _Axis:
    """Where the values of one axis lie, from 0 to 1, and its labelled ticks."""

    def __init__(
        self, ticks: list[tuple[float, str]], known: Mapping[Any, float] | None, low: float, width: float, log: bool
    ):
        self.ticks, self._known, self._low, self._width, self._log = ticks, known, low, width, log

    def place(self, value: Any) -> float:
        """Return a value's place."""
        if self._known is not None:
            return self._known[None if value is None or value != value else value]
        number = math.log10(value) if self._log else float(value)
        return (number - self._low) / self._width if self._width else 0.5


def _places(dimension: Dimension) -> _Axis:
    if not isinstance(dimension, Choices):
        return _between(dimension.low, dimension.high, log=dimension.log)
    values = dimension.values
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        values = tuple(sorted(values))
    known = {value: number / (len(values) - 1) for number, value in enumerate(values)}
    return _Axis([(place, shown_value(value)) for value, place in known.items()], known, 0, 1, False)


def _between(low: float, high: float, *, log: bool) -> _Axis:
    first, last = (math.log10(low), math.log10(high)) if log else (low, high)
    width = last - first
    if not width:
        return _Axis([(0.5, shown_value(low))], None, first, 0.0, log)
    inner = np.linspace(first, last, 5)
    if log:
        powers = [float(power) for power in range(math.ceil(first + 0.1 * width), math.floor(last - 0.1 * width) + 1)]
        inner = np.array([first, *powers, last])
    elif isinstance(low, int) and isinstance(high, int):
        inner = np.unique(np.round(inner))
    ticks = [((place - first) / width, shown_value(float(10**place if log else place))) for place in inner]
    return _Axis(ticks, None, first, width, log)


def _ends_of(values: "pd.Series[float]") -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def _hover(space: Mapping[str, Dimension]) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N", title=_title(name)) for name in space]


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
