"""Charts of comparisons, calibration, slices and learning curves."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, legend_above, text_axis
from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.training.calibration import Calibration
from lmcore.training.comparison import Comparison, unit_of_difference
from lmcore.training.curve import LearningCurve
from lmcore.training.slices import SliceReport


def differences(comparison: Comparison) -> Figure:
    """Draw the differences between versions with their intervals, those of shares in points; 0 is no difference."""
    shares = {name for name in comparison.differences["metric"] if _metric(comparison, name).maximum in {1, 100}}
    kept = comparison.differences[comparison.differences["metric"].isin(shares or {comparison.main.name})].copy()
    by_name = {name: _metric(comparison, name) for name in kept["metric"].unique()}
    factor = kept["metric"].map(lambda name: 100.0 if by_name[name].maximum == 1 else 1.0)
    for column in ("difference", "low", "high"):
        kept[column] = kept[column] * factor
    kept["pair"] = kept["second"] + " less " + kept["first"]
    order = [metric.title for metric in by_name.values()]
    kept["metric"] = kept["metric"].map(lambda name: by_name[name].title)
    unit = "points" if shares else unit_of_difference(comparison.main)
    pairs = list(kept["pair"].unique())
    level = 100 * comparison.parameters["level"]
    base = alt.Chart(kept, title=f"Differences on the same rows, with {level:.4g} % intervals").encode(
        y=alt.Y("metric:N", sort=order, axis=text_axis("Metric")), yOffset=alt.YOffset("pair:N", sort=pairs)
    )
    color = alt.Color("pair:N", title=None, sort=pairs, legend=alt.Legend(orient="bottom", columns=1, labelLimit=400))
    hover = ["pair:N", "metric:N", *(alt.Tooltip(f"{c}:Q", format="+.2f") for c in ("difference", "low", "high"))]
    ends = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=f"Difference ({unit})", scale=alt.Scale(zero=True)), x2="high:Q", color=color
    )
    marks = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="difference:Q", color=color, shape=alt.Shape("pair:N", legend=None, sort=pairs), tooltip=hover
    )
    none = alt.Chart(pd.DataFrame({"none": [0]})).mark_rule(strokeDash=[4, 4]).encode(x="none:Q")
    chart = (none + ends + marks).properties(height=bar_height(len(kept), each=28) + 20 * len(pairs) + 40)
    return Figure(chart, " ".join(comparison.verdicts()), kept)


def reliability(measured: Sequence[Calibration]) -> Figure:
    """Draw the reliability curve of one version, or of several; the diagonal is what exact probabilities would give."""
    data = pd.concat([found.bins.assign(version=found.version) for found in measured], ignore_index=True)
    versions = [found.version for found in measured]
    base = alt.Chart(data, title="Reliability: how often the model is right when it says so").encode(
        x=alt.X("confidence:Q", title="Mean probability of the answer (0 to 1)", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("version:N", title=None, sort=versions, legend=legend_above(versions)),
    )
    hover = [
        "version:N",
        "rows:Q",
        *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("confidence", "accuracy", "low", "high")),
    ]
    y = alt.Y("low:Q", title="Share of right answers (0 to 1)", scale=alt.Scale(domain=[0, 1]))
    ends = base.mark_rule(strokeWidth=1.5).encode(y=y, y2="high:Q")
    line = base.mark_line().encode(y="accuracy:Q")
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        y="accuracy:Q", shape=alt.Shape("version:N", legend=None, sort=versions), tooltip=hover
    )
    exact = pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]})
    diagonal = alt.Chart(exact).mark_line(strokeDash=[4, 4], opacity=0.6).encode(x="confidence:Q", y="accuracy:Q")
    said = "; ".join(f"{found.version}: expected calibration error {found.value('ece'):.3f}" for found in measured)
    widest = data.iloc[int((data["accuracy"] - data["confidence"]).abs().to_numpy().argmax())]
    alt_text = (
        f"{said}. The widest gap: right in {widest['accuracy']:.0%} of {widest['rows']} rows at a mean probability of "
        f"{widest['confidence']:.0%}."
    )
    return Figure((diagonal + ends + line + marks).properties(height=360), alt_text, data)


def slices(report: SliceReport) -> Figure:
    """Draw the figure of every slice with its interval; the line is the figure on all rows."""
    data = report.slices.copy()
    data["name"] = data["by"] + " = " + data["slice"].str.slice(0, 60)
    data["differs"] = data["verdict"].replace("", "like the whole")
    order = data["name"].tolist()
    metric = report.metric
    scale = alt.Scale(domain=[0, metric.maximum]) if metric.maximum else alt.Scale(zero=False)
    base = alt.Chart(data, title=f"{metric.title} by slice, with {100 * report.level:.4g} % intervals").encode(
        y=alt.Y("name:N", sort=order, axis=text_axis("Slice")),
        color=alt.Color(
            "differs:N", title=None, sort=["like the whole", "worse", "better"], legend=alt.Legend(orient="top")
        ),
    )
    hover = ["name:N", "rows:Q", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high")), "differs:N"]
    ends = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=f"{metric.title} ({metric.unit})", scale=scale), x2="high:Q"
    )
    marks = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="value:Q", shape=alt.Shape("differs:N", legend=None), tooltip=hover
    )
    overall = alt.Chart(pd.DataFrame({"overall": [report.overall]}))
    whole = overall.mark_rule(strokeDash=[4, 4]).encode(x="overall:Q")
    chart = (whole + ends + marks).properties(height=bar_height(len(data), legend=1))
    return Figure(chart, " ".join(report.sentences()), data.drop(columns=["name", "differs"]))


def learning_curve(curve: LearningCurve) -> Figure:
    """Draw the main figure on test by the number of training rows, beside the baselines."""
    metric = curve.main
    data = curve.points[curve.points["metric"] == metric.name].drop(columns="metric")
    models = list(data["model"].unique())
    base = alt.Chart(data, title=f"{metric.title} on test by training rows, with 95 % intervals").encode(
        x=alt.X("rows:Q", title="Training rows", scale=alt.Scale(zero=False), axis=alt.Axis(tickMinStep=1)),
        color=alt.Color("model:N", title=None, sort=models, legend=legend_above(models)),
    )
    y = alt.Y("value:Q", title=f"{metric.title} ({metric.unit})", scale=alt.Scale(zero=False))
    hover = ["model:N", "rows:Q", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high"))]
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        y="value:Q", shape=alt.Shape("model:N", legend=None, sort=models), tooltip=hover
    )
    ends = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    chart = (base.mark_line().encode(y=y) + ends + marks).properties(height=340)
    return Figure(chart, curve.verdict, data)


def _metric(comparison: Comparison, name: str) -> Metric:
    return load_task(comparison.task).metric(name)
