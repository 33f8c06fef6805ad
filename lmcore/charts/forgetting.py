"""Charts of what a version lost and won when it was trained further."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.tasks import load_task
from lmcore.training.continual.forgetting import OLD, Forgetting

_ALL = "all rows"


def forgetting(found: Forgetting, role: str = OLD) -> Figure:
    """Draw a figure before and after by slice, as two points with a line between them.

    Args:
        found: what was measured.
        role: whether the earlier data are drawn or the new.
    """
    name = str(found.slices["metric"].iloc[0]) if len(found.slices) else found.main.name
    metric = load_task(found.task).metric(name)
    data = _lines(found, role, name)
    order = data["name"].tolist()
    scale = alt.Scale(domain=[0, metric.maximum]) if metric.maximum else alt.Scale(zero=False)
    y = alt.Y("name:N", sort=order, axis=text_axis("Slice"))
    title = f"{metric.title} on the {role} data, before and after"
    between = (
        alt.Chart(data, title=title)
        .mark_rule(strokeWidth=2, opacity=0.6)
        .encode(y=y, x=alt.X("before:Q", title=f"{metric.title} ({metric.unit})", scale=scale), x2="after:Q")
    )
    long = data.melt(["name", "rows", "difference", "low", "high", "change"], ["before", "after"], "when", "value")
    hover = ["name:N", "rows:Q", "when:N", alt.Tooltip("value:Q", format=".3f")]
    hover += [*(alt.Tooltip(f"{column}:Q", format="+.3f") for column in ("difference", "low", "high")), "change:N"]
    ends = (
        alt.Chart(long)
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            y=y,
            x=alt.X("value:Q", scale=scale),
            color=alt.Color("when:N", title=None, sort=["before", "after"], legend=alt.Legend(orient="top")),
            shape=alt.Shape("when:N", sort=["before", "after"], legend=None),
            tooltip=hover,
        )
    )
    chart = (between + ends).properties(height=bar_height(len(data), legend=1))
    said = [f"{row['name']}: {row['change']}" for row in data.to_dict("records") if row["change"] != "no clear change"]
    return Figure(chart, f"{found.verdict} {'; '.join(said)}".strip(), data)


def _lines(found: Forgetting, role: str, metric: str) -> pd.DataFrame:
    """Return the lines of a chart: each data set as a whole, then its slices."""
    whole = found.to_frame()
    rows = whole[(whole["role"] == role) & (whole["metric"] == metric)].copy()
    several = rows["data"].nunique() > 1
    label = rows["slice"].where(rows["by"] == "", rows["by"] + " = " + rows["slice"].str.slice(0, 60))
    rows["name"] = rows["data"] + ", " + label if several else label
    gain = rows["better"].map({True: "better", False: "worse"})
    rows["change"] = gain.where(rows["clear"].astype(bool), "no clear change")
    ordered = pd.concat([part for _, part in rows.groupby("data", sort=False)], ignore_index=True)
    columns = ["name", "rows", "before", "after", "difference", "low", "high", "change"]
    lines: pd.DataFrame = ordered[columns]
    return lines
