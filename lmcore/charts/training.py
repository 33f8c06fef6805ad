"""Charts of training runs and evaluations."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, legend_above, text_axis
from lmcore.tasks.figures import Metric
from lmcore.training.evaluation import Evaluation
from lmcore.types import count_of

FEWEST_BARS = 8
"""Room is kept for so many bars: fewer would be squeezed between title, legend and axis."""

_BY_CLASS = {"precision": "Precision", "recall": "Recall", "f1": "F1", "exact_match": "Exact match"}
_CURVES = {"loss": "train", "dev_loss": "dev", "reward": "train", "dev_reward": "dev"}


def metric_curves(metrics: pd.DataFrame, names: tuple[str, ...], *, title: str, x: str, y: str) -> Figure:
    """Draw recorded values over their steps.

    Args:
        metrics: columns ``step``, ``name``, ``value``.
        names: which of the names to draw.
        title: of the chart.
        x: title of the step axis, with its unit.
        y: title of the value axis, with its unit.
    """
    data = metrics[metrics["name"].isin(names)][["step", "name", "value"]]
    titles = {name: _CURVES.get(name, name.removeprefix("dev_").replace("_", " ")) for name in names}
    data = data.replace({"name": titles})
    order = list(titles.values())
    marks = alt.Chart(data, title=title).encode(
        x=alt.X("step:Q", title=x, axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("value:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(format=".4~g")),
        color=alt.Color("name:N", title=None, sort=order, legend=legend_above(order)),
        shape=alt.Shape("name:N", sort=order, legend=None),
        tooltip=["name:N", "step:Q", alt.Tooltip("value:Q", format=".4f")],
    )
    chart = (marks.mark_line() + marks.mark_point(filled=True, size=40)).properties(height=300)
    last = data.groupby("name")["value"].last()
    said = "; ".join(f"{name} is {value:.3f} at the last step" for name, value in last.items())
    return Figure(chart, f"{title}. {said or 'No value yet'}.", data)


def metric_units(evaluation: Evaluation) -> list[str]:
    """Return the units of the metrics, in their order: each is drawn on an axis of its own."""
    return list(dict.fromkeys(evaluation.metric(name).unit for name in evaluation.metrics))


def metric_intervals(evaluation: Evaluation, unit: str) -> Figure:
    """Draw the overall metrics of one unit with their 95 % intervals, beside the baselines'."""
    known = {name: evaluation.metric(name) for name in evaluation.metrics}
    chosen = {name: metric for name, metric in known.items() if metric.unit == unit}
    frame = _beside_baselines(evaluation, chosen)
    maximum = next(iter(chosen.values())).maximum
    scale = alt.Scale(domain=[0, maximum]) if maximum else alt.Scale(zero=True)
    base = alt.Chart(frame, title=f"{_rows_of(evaluation)} metrics with 95 % intervals").encode(
        y=alt.Y("metric:N", sort=[metric.title for metric in chosen.values()], axis=text_axis("Metric")),
        yOffset=alt.YOffset("model:N", sort=list(frame["model"])),
    )
    color = alt.Color(
        "model:N", title=None, sort=list(frame["model"]), legend=alt.Legend(orient="bottom", columns=1, labelLimit=320)
    )
    hover = ["model:N", "metric:N", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high"))]
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=f"Value ({unit})", scale=scale), x2="high:Q", color=color
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="value:Q", color=color, shape=alt.Shape("model:N", legend=None, sort=list(frame["model"])), tooltip=hover
    )
    said = ", ".join(
        _said(metric, evaluation.metrics[name], evaluation.intervals[name]) for name, metric in chosen.items()
    )
    chart = (bars + points).properties(height=bar_height(max(len(frame), FEWEST_BARS), each=20) + 60)
    return Figure(chart, f"Metrics with 95 % intervals: {said}.", frame)


def class_metrics(evaluation: Evaluation) -> Figure:
    """Draw what was measured of each class, such as precision, recall and F1, with the 95 % intervals."""
    table = evaluation.tables["by_class"].replace({"metric": _BY_CLASS})
    order = table["metric"].drop_duplicates().tolist()
    first, last = order[0], order[-1] if order[-1].isupper() else order[-1].lower()
    named = ", ".join([first, *(name.lower() for name in order[1:-1])]) + (f" and {last}" if order[1:] else "")
    base = alt.Chart(table, title=f"{named} by class, with 95 % intervals").encode(
        y=alt.Y("label:N", axis=text_axis("Class")), yOffset=alt.YOffset("metric:N", sort=order)
    )
    color = alt.Color("metric:N", title=None, sort=order, legend=alt.Legend(orient="top"))
    hover = ["label:N", "metric:N", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high")), "rows:Q"]
    # The bars let the ground through, so that the intervals are seen on them in light and dark.
    bars = base.mark_bar(height={"band": 0.8}, opacity=0.65).encode(
        x=alt.X("value:Q", title="Value (0 to 1)", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=10)),
        color=color,
        tooltip=hover,
    )
    whiskers = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    worst = table[table["metric"] == "F1"].sort_values("value").iloc[0]
    chart = (bars + whiskers).properties(height=bar_height(max(len(table), FEWEST_BARS), each=18, legend=1))
    return Figure(chart, f"The class with the lowest F1 is {worst['label']} with {worst['value']:.3f}.", table)


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """Draw how many rows of each true class were given each class."""
    table = evaluation.tables["confusion"].copy()
    table["share"] = table["rows"] / table.groupby("gold")["rows"].transform("sum").clip(lower=1)
    base = alt.Chart(table, title="Confusion matrix (rows)").encode(
        x=alt.X(
            "predicted:N",
            axis=alt.Axis(
                title="Predicted class", labelAngle=-35, labelLimit=180, labelOverlap=False, labelFlush=False
            ),
        ),
        y=alt.Y("gold:N", axis=text_axis("True class")),
    )
    cells = base.mark_rect().encode(
        # Half of the ramp alone is used, so that the numbers are readable on every cell in light and dark.
        color=alt.Color("share:Q", legend=None, scale=alt.Scale(domain=[0, 2])),
        tooltip=["gold:N", "predicted:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    numbers = base.mark_text(fontSize=13).encode(
        text="rows:Q", opacity=alt.condition("datum.rows > 0", alt.value(1), alt.value(0.35))
    )
    wrong = table[table["gold"] != table["predicted"]].sort_values("rows", ascending=False)
    said = (
        "No confusions."
        if wrong.empty or not wrong.iloc[0]["rows"]
        else (
            f"The most frequent confusion: {wrong.iloc[0]['gold']} taken for {wrong.iloc[0]['predicted']}, "
            f"{count_of(int(wrong.iloc[0]['rows']), 'row')}."
        )
    )
    size = bar_height(table["gold"].nunique(), each=40) + 40
    return Figure((cells + numbers).properties(height=size), said, table)


def _rows_of(evaluation: Evaluation) -> str:
    return (str(evaluation.parameters.get("split") or "")).capitalize() or "All"


def _said(metric: Metric, value: float, ends: tuple[float, float]) -> str:
    return f"{metric.title} {metric.show(value)} ({metric.show(ends[0])} to {metric.show(ends[1])})"


def _beside_baselines(evaluation: Evaluation, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    rows = [
        ("this model", metric.title, evaluation.metrics[name], *evaluation.intervals[name])
        for name, metric in metrics.items()
    ]
    baselines = evaluation.tables.get("baselines")
    if baselines is not None:
        for _, line in baselines.iterrows():
            rows += [
                (line["name"], metric.title, line[name], line[f"{name}_low"], line[f"{name}_high"])
                for name, metric in metrics.items()
                if name in baselines
            ]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])
