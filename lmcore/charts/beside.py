"""Charts of a version beside what was before it."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.training.beside import Beside

MOST_LABELS = 15


def changes(beside: Beside) -> Figure:
    """Draw how many rows changed in which way."""
    data = pd.DataFrame(list(beside.changes.items()), columns=["change", "rows"])
    base = alt.Chart(data, title="Rows by what changed").encode(
        y=alt.Y("change:N", sort=None, axis=text_axis()),
        x=alt.X("rows:Q", title="Rows", axis=alt.Axis(tickMinStep=1)),
    )
    bars = base.mark_bar().encode(tooltip=["change:N", "rows:Q"])
    numbers = base.mark_text(align="left", dx=4).encode(text="rows:Q")
    return Figure((bars + numbers).properties(height=bar_height(len(data))), beside.sentences()[0], data)


def probabilities(before: str, after: str, data: pd.DataFrame) -> Figure:
    """Draw the probability of each class before and after; of many classes those that are most probable in either.

    Args:
        before: what was before.
        after: the version.
        data: ``label``, ``before`` and ``after``; NaN where a model does not know a class.
    """
    most = data.assign(most=data[["before", "after"]].max(axis=1)).nlargest(MOST_LABELS, "most")
    titles = {"before": f"before: {before}", "after": f"after: {after}"}
    long = most.melt("label", ["before", "after"], var_name="model", value_name="probability").dropna()
    long["model"] = long["model"].map(titles)
    base = alt.Chart(long, title="Probability of each class before and after").encode(
        y=alt.Y("label:N", sort=most["label"].tolist(), axis=text_axis("Class")),
        yOffset=alt.YOffset("model:N", sort=list(titles.values())),
        x=alt.X("probability:Q", title="Probability (0 to 1)", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "model:N",
            title=None,
            sort=list(titles.values()),
            legend=alt.Legend(orient="bottom", columns=1, labelLimit=400),
        ),
    )
    chart = base.mark_bar().encode(tooltip=["model:N", "label:N", alt.Tooltip("probability:Q", format=".4f")])
    shares = zip(most["label"], most["before"], most["after"], strict=True)
    said = "; ".join(f"{label} {_share(a)} before, {_share(b)} after" for label, a, b in shares)
    return Figure(chart.properties(height=bar_height(2 * len(most), each=18) + 40), f"{said}.", data)


def _share(value: float) -> str:
    return "unknown" if value != value else f"{value:.1%}"
