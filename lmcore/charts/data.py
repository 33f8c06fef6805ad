"""Charts of data sets: labels, lengths, missing values and defects."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.data.dataset import TextDataset
from lmcore.data.profile import DataProfile
from lmcore.tasks import load_task
from lmcore.types import SPLITS

SHOWN_LABELS = 40


def label_distribution(profile: DataProfile) -> Figure:
    """Draw the rows of each label, the largest first."""
    frame = profile.labels.sort_values("rows", ascending=False)
    shown = frame.head(SHOWN_LABELS)
    title = "Rows of each label" + (
        "" if len(shown) == len(frame) else f" (the largest {SHOWN_LABELS} of {len(frame)})"
    )
    base = alt.Chart(shown, title=title).encode(
        y=alt.Y("label:N", sort=None, axis=text_axis("Label")),
        # Room for the numbers at the ends of the bars.
        x=alt.X("rows:Q", title="Rows", scale=alt.Scale(domain=[0, 1.1 * max(frame["rows"], default=1)])),
        tooltip=["label:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    bars = base.mark_bar() + base.mark_text(align="left", dx=4).encode(text="rows:Q")
    listed = ", ".join(f"{label} {rows}" for label, rows in zip(shown["label"], shown["rows"], strict=True))
    said = f"Rows of each label: {listed}." if listed else "No row has a label."
    return Figure(bars.properties(height=bar_height(len(shown))), said, frame)


def text_lengths(profile: DataProfile, unit: str) -> Figure:
    """Draw how long the texts are.

    Args:
        profile: of the data set.
        unit: ``characters`` or ``words``.
    """
    lengths = profile.lengths[[unit]]
    median, longest = float(lengths[unit].median()), int(lengths[unit].max())
    # The longest percent would squeeze all others into one bar; they are counted in the last one.
    cap = max(float(lengths[unit].quantile(0.99)), 1.0)
    shown = pd.DataFrame({unit: lengths[unit].clip(upper=cap)})
    title = f"Length of the texts in {unit}" + (f" (the last bar: {cap:.0f} and more)" if longest > cap else "")
    bars = (
        alt.Chart(shown, title=title)
        .mark_bar()
        .encode(
            x=alt.X(f"{unit}:Q", bin=alt.Bin(maxbins=30), title=f"Length ({unit})"),
            y=alt.Y("count():Q", title="Texts"),
            tooltip=[alt.Tooltip("count():Q", title="texts")],
        )
    )
    said = f"The median text has {median:.0f} {unit}, the longest {longest:,}."
    return Figure(bars.properties(height=300), said, profile.lengths)


def split_balance(data: TextDataset) -> Figure:
    """Draw the share of each label in train, dev and test, or the rows of each where there are no classes."""
    frame, task = data.frame, load_task(data.task)
    order = list(SPLITS)
    sizes = frame["split"].value_counts()
    said = "Rows by split: " + ", ".join(f"{name} {sizes.get(name, 0):,}" for name in order) + "."
    strata = task.strata(frame)
    if strata is None:
        return _split_sizes(sizes, said)
    labelled = pd.DataFrame({"split": frame["split"], "label": strata})
    counts = labelled.groupby(["split", "label"]).size().rename("rows").reset_index()
    counts["share"] = counts["rows"] / counts.groupby("split")["rows"].transform("sum")
    chart = (
        alt.Chart(counts, title="Share of each label by split")
        .mark_bar(height={"band": 0.8})
        .encode(
            y=alt.Y("label:N", axis=text_axis("Label")),
            yOffset=alt.YOffset("split:N", sort=order),
            x=alt.X("share:Q", title="Share of the split's rows", axis=alt.Axis(format="%")),
            color=alt.Color("split:N", sort=order, title=None, legend=alt.Legend(orient="top")),
            tooltip=["split:N", "label:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=bar_height(len(counts), each=18, legend=1))
    )
    return Figure(chart, said, counts)


def _split_sizes(sizes: pd.Series, said: str) -> Figure:
    rows = pd.DataFrame({"split": list(SPLITS), "rows": [int(sizes.get(name, 0)) for name in SPLITS]})
    chart = (
        alt.Chart(rows, title="Rows of each split")
        .mark_bar()
        .encode(
            y=alt.Y("split:N", sort=list(SPLITS), axis=text_axis("Split")),
            x=alt.X("rows:Q", title="Rows"),
            tooltip=["split:N", "rows:Q"],
        )
    )
    return Figure(chart.properties(height=bar_height(len(rows))), said, rows)
