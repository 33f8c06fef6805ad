"""Charts of training runs and evaluations."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.training.evaluation import Evaluation

_NAMES = {
    "accuracy": "Accuracy",
    "precision_macro": "Precision (macro)",
    "recall_macro": "Recall (macro)",
    "f1_macro": "F1 (macro)",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "loss": "train",
    "dev_loss": "dev",
    "dev_accuracy": "dev",
}


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
    data = data.replace({"name": _NAMES})
    order = list(dict.fromkeys(_NAMES.get(name, name) for name in names))
    marks = alt.Chart(data, title=title).encode(
        x=alt.X("step:Q", title=x, axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("value:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(format=".4~g")),
        color=alt.Color("name:N", title=None, sort=order, legend=alt.Legend(orient="top") if len(names) > 1 else None),
        shape=alt.Shape("name:N", sort=order, legend=None),
        tooltip=["name:N", "step:Q", alt.Tooltip("value:Q", format=".4f")],
    )
    chart = (marks.mark_line() + marks.mark_point(filled=True, size=40)).properties(height=300)
    last = data.groupby("name")["value"].last()
    said = "; ".join(f"{name} is {value:.3f} at the last step" for name, value in last.items())
    return Figure(chart, f"{title}. {said or 'No value yet'}.", data)


def metric_intervals(evaluation: Evaluation) -> Figure:
    """Draw the overall metrics with their 95 % intervals, beside the baselines'."""
    frame = _beside_baselines(evaluation)
    order = [_NAMES[name] for name in evaluation.metrics if name in _NAMES]
    base = alt.Chart(frame, title="Test metrics with 95 % intervals").encode(
        y=alt.Y("metric:N", sort=order, axis=text_axis("Metric")),
        yOffset=alt.YOffset("model:N", sort=list(frame["model"])),
    )
    color = alt.Color(
        "model:N", title=None, sort=list(frame["model"]), legend=alt.Legend(orient="bottom", columns=1, labelLimit=320)
    )
    hover = ["model:N", "metric:N", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high"))]
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="Value (0 to 1)", scale=alt.Scale(domain=[0, 1])), x2="high:Q", color=color
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="value:Q", color=color, shape=alt.Shape("model:N", legend=None, sort=list(frame["model"])), tooltip=hover
    )
    model = frame[frame["model"] == "this model"].set_index("metric")
    said = ", ".join(
        f"{name} {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" for name, row in model.iterrows()
    )
    chart = (bars + points).properties(height=bar_height(len(frame), each=20) + 60)
    return Figure(chart, f"Metrics on the test split with 95 % intervals: {said}.", frame)


def class_metrics(evaluation: Evaluation) -> Figure:
    """Draw precision, recall and F1 of each class with their 95 % intervals."""
    table = evaluation.tables["by_class"].replace({"metric": _NAMES})
    order = ["Precision", "Recall", "F1"]
    base = alt.Chart(table, title="Precision, recall and F1 by class, with 95 % intervals").encode(
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
    chart = (bars + whiskers).properties(height=bar_height(len(table), each=18))
    return Figure(chart, f"The class with the lowest F1 is {worst['label']} with {worst['value']:.3f}.", table)


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """Draw how many rows of each true class were given each class."""
    table = evaluation.tables["confusion"].copy()
    table["share"] = table["rows"] / table.groupby("gold")["rows"].transform("sum").clip(lower=1)
    base = alt.Chart(table, title="Confusion matrix (rows of the test split)").encode(
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
            f"{wrong.iloc[0]['rows']} row{'' if wrong.iloc[0]['rows'] == 1 else 's'}."
        )
    )
    size = bar_height(table["gold"].nunique(), each=40) + 40
    return Figure((cells + numbers).properties(height=size), said, table)


def _beside_baselines(evaluation: Evaluation) -> pd.DataFrame:
    rows = [("this model", name, value, *evaluation.intervals[name]) for name, value in evaluation.metrics.items()]
    baselines = evaluation.tables.get("baselines")
    if baselines is not None:
        for _, line in baselines.iterrows():
            rows += [
                (line["name"], name, line[name], line[f"{name}_low"], line[f"{name}_high"])
                for name in evaluation.metrics
                if name in baselines
            ]
    frame = pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])
    return frame.replace({"metric": _NAMES})


def verdict(evaluation: Evaluation) -> str:
    """Say in plain sentences how good a version is and whether it beats the plain baselines."""
    value, (low, high) = evaluation.metrics["f1_macro"], evaluation.intervals["f1_macro"]
    said = (
        f"On {evaluation.parameters['rows']} test rows it is right in {evaluation.metrics['accuracy']:.1%}; "
        f"macro F1 is {value:.3f} (95 % interval {low:.3f} to {high:.3f})."
    )
    baselines = evaluation.tables.get("baselines")
    if baselines is None:
        return said
    best = baselines.sort_values("f1_macro").iloc[-1]
    if value <= best["f1_macro"]:
        return f"{said} **{best['name']} does as well or better: {best['f1_macro']:.3f}.**"
    clearly = (
        "clearly beats" if low > best["f1_macro"] else "is ahead of, but within the interval does not clearly beat,"
    )
    return f"{said} It {clearly} the best baseline, {best['name']} with {best['f1_macro']:.3f}."
