"""Charts of edits and of suites: every function takes numbers and returns a `Figure`."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis

MAX_EDITS = 20

_LEGEND_HEIGHT = 60
_MOST_LABELS = 8
_LONGEST_LABEL = 40


def edit_effects(frame: pd.DataFrame, answer: str) -> Figure:
    """Draw by how much the edits that move an answer most change its probability.

    Args:
        frame: what `Counterfactuals.to_frame` returns; edits whose change is not known are left out.
        answer: the first answer, for the title.
    """
    known = frame.dropna(subset=["change"])
    shown = known.loc[known["change"].abs().sort_values(ascending=False, kind="stable").index].head(MAX_EDITS)
    shown = shown.sort_values("change", kind="stable").assign(
        name=[f"{number} {edit}" for number, edit in enumerate(shown.sort_values("change", kind="stable")["edit"], 1)],
        outcome=lambda part: part["flips"].map({True: "another answer", False: "the same answer"}),
    )
    axis = text_axis("Edit", limit=240)
    axis.labelExpr = "substring(datum.label, indexof(datum.label, ' ') + 1)"
    chart = (
        alt.Chart(shown, title=f"What edits do to the probability of {answer}")
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=axis),
            x=alt.X("change:Q", title="Change of the probability (-1 to 1)", axis=alt.Axis(format="+.2f")),
            color=alt.Color(
                "outcome:N",
                title="Leads to",
                sort=["another answer", "the same answer"],
                legend=alt.Legend(orient="top", labelLimit=240),
            ),
            tooltip=["edit:N", "kind:N", "answer:N", alt.Tooltip("change:Q", format="+.4f"), "outcome:N"],
        )
        .properties(height=bar_height(len(shown), legend=2))
    )
    said = f"{int(frame['flips'].sum())} of {len(frame)} edits lead to another answer."
    if len(shown):
        first = shown.iloc[0]
        said += f" The strongest, {first['edit']}, changes the probability by {first['change']:+.2f}."
    columns = ["flips", "edit", "kind", "edits", "words", "answer", "change", "fluency", "text"]
    return Figure(chart, f"What edits do to the probability of {answer}. {said}", frame[columns])


def suite_rates(rates: pd.DataFrame, version: str) -> Figure:
    """Draw how often the cases of each kind fail, with 95 % intervals.

    Args:
        rates: as in `SuiteRun`.
        version: what was run, for the title.
    """
    base = alt.Chart(rates, title=f"How often {version} fails").encode(
        y=alt.Y("kind:N", sort=None, axis=text_axis("Kind of edit")),
    )
    rules = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("failure_low:Q", title="Failure rate (0 to 1)", scale=alt.Scale(domain=[0, 1])), x2="failure_high:Q"
    )
    points = base.mark_point(filled=True, size=80, opacity=1).encode(
        x="failure_rate:Q",
        tooltip=[
            "kind:N",
            "cases:Q",
            "failures:Q",
            alt.Tooltip("failure_rate:Q", format=".1%"),
            alt.Tooltip("failure_low:Q", format=".1%"),
            alt.Tooltip("failure_high:Q", format=".1%"),
        ],
    )
    whole = rates.iloc[0]
    said = (
        f"Of all cases {whole['failure_rate']:.1%} fail, 95 % interval {whole['failure_low']:.1%} to "
        f"{whole['failure_high']:.1%}."
    )
    return Figure((rules + points).properties(height=bar_height(len(rates), each=30)), f"{version}: {said}", rates)


def rate_differences(rates: pd.DataFrame, first: str, second: str) -> Figure:
    """Draw how much more or less often a second version fails than a first one, with 95 % intervals.

    Args:
        rates: as in `SuiteComparison`.
        first: a version.
        second: the other one; left of 0 it fails less.
    """
    base = alt.Chart(rates, title=f"Failure rate of {second} less that of {first}").encode(
        y=alt.Y("kind:N", sort=None, axis=text_axis("Kind of edit")),
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[4, 4]).encode(x="zero:Q")
    rules = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="Difference (left of 0: the second fails less)", axis=alt.Axis(format="+.2f")),
        x2="high:Q",
    )
    points = base.mark_point(filled=True, size=80, opacity=1).encode(
        x="difference:Q",
        tooltip=["kind:N", "cases:Q", *(alt.Tooltip(f"{n}:Q", format="+.3f") for n in ("difference", "low", "high"))],
    )
    whole = rates.iloc[0]
    said_points = [f"{100 * whole[name]:+.1f}" for name in ("difference", "low", "high")]
    said = f"Over all cases {said_points[0]} percentage points, 95 % interval {said_points[1]} to {said_points[2]}."
    figure = (zero + rules + points).properties(height=bar_height(len(rates), each=30))
    return Figure(figure, f"{second} less {first}. {said}", rates)


def row_scores(frame: pd.DataFrame, column: str, *, title: str, unit: str) -> Figure:
    """Draw the similarity or the influence of rows, in their order; coloured by label where few short ones recur.

    Args:
        frame: ``id``, ``label``, ``text`` and the numbers.
        column: which numbers.
        title: of the chart.
        unit: of the numbers, as the axis calls them.
    """
    shown = frame.assign(name=[f"Row {row + 1}" for row in frame["id"]], label=frame["label"].replace("", "no label"))
    chart = (
        alt.Chart(shown, title=title)
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=text_axis("Row")),
            x=alt.X(f"{column}:Q", title=unit),
            tooltip=["name:N", "label:N", "text:N", alt.Tooltip(f"{column}:Q", format="+.4g")],
        )
        .properties(height=bar_height(len(shown)) + _LEGEND_HEIGHT)
    )
    if shown["label"].nunique() <= _MOST_LABELS and shown["label"].str.len().max() <= _LONGEST_LABEL:
        legend = alt.Legend(orient="top", labelLimit=240)
        chart = chart.encode(color=alt.Color("label:N", title="Label", legend=legend))
    first = shown.iloc[0] if len(shown) else None
    said = (
        "There is none." if first is None else f"The first is {first['name']} ({first['label']}): {first[column]:+.3g}."
    )
    return Figure(chart, f"{title}. {said}", frame)
