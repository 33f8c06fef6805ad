"""Charts of what compression brings and costs."""

import altair as alt

from lmcore.charts.figure import Figure
from lmcore.settings import MIB
from lmcore.training.compression.tradeoff import Tradeoff, pareto_front


def tradeoff(found: Tradeoff) -> Figure:
    """Draw quality against latency; a point's size is its bytes on disk, and the line joins what nothing beats in both."""
    metric = found.main
    data = found.points.copy()
    data["MiB"] = data["bytes"] / MIB
    data["number"] = data["version"].str.rpartition("/")[2]
    data["name"] = data["number"] + ": " + data["how"]
    data["is"] = data["original"].map({True: "original", False: "compressed"})
    cost = data[["quality", "single_ms"]].to_numpy() * [-1 if metric.higher else 1, 1]
    line_data = data[pareto_front(cost)].sort_values("single_ms")
    x = alt.X("single_ms:Q", title="Median time for one text (ms)", scale=alt.Scale(zero=False, nice=True))
    y = alt.Y("quality:Q", title=f"{metric.title} ({metric.unit})", scale=alt.Scale(zero=False))
    base = alt.Chart(data, title=f"{metric.title} against time, with 95 % intervals").encode(x=x)
    ends = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    sizes = alt.Legend(orient="bottom", symbolFillColor="gray", symbolStrokeColor="gray")  # seen in light and dark
    marks = base.mark_point(filled=True, opacity=0.9).encode(
        y=y,
        size=alt.Size("MiB:Q", title="MiB on disk", scale=alt.Scale(zero=True, range=[20, 260]), legend=sizes),
        color=alt.Color("is:N", title=None, sort=["original", "compressed"], legend=alt.Legend(orient="top")),
        shape=alt.Shape("is:N", title=None, sort=["original", "compressed"], legend=alt.Legend(orient="top")),
        tooltip=[
            "version:N", "how:N", alt.Tooltip("quality:Q", format=".3f"), alt.Tooltip("single_ms:Q", format=".1f"),
            alt.Tooltip("single_p95_ms:Q", format=".1f"), alt.Tooltip("batch_per_second:Q", format=".0f"),
            alt.Tooltip("MiB:Q", format=".1f"),
        ],
    )  # fmt: skip
    front = alt.Chart(line_data).mark_line(strokeDash=[5, 3], interpolate="step-after").encode(x=x, y=y)
    labels = base.mark_text(align="left", dx=14, dy=-8).encode(y=y, text="number:N")
    first = data[data["original"]].iloc[0]
    quickest = data.sort_values("single_ms").iloc[0]
    said = (
        f"The original takes {first['single_ms']:.1f} ms and reaches {metric.show(first['quality'])}; the quickest, "
        f"{quickest['how']}, takes {quickest['single_ms']:.1f} ms and reaches {metric.show(quickest['quality'])}. Nothing is "
        f"both better and quicker than {', '.join(line_data['how'])}."
    )
    chart = (front + ends + marks + labels).properties(height=360)
    return Figure(chart, said, found.points)
