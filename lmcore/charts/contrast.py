"""Charts of two attributions side by side."""

import altair as alt

from lmcore.analysis.attribution.contrast import Contrast
from lmcore.charts.figure import Figure, bar_height

MAX_UNITS = 120


def side_by_side_scores(found: Contrast, names: tuple[str, str]) -> Figure:
    """Draw the scores of both sides and their difference, unit by unit, in the order of the text.

    Of more than 120 units those are drawn on which a side's score or the difference is largest; the numbers have all.

    Args:
        found: the two.
        names: what each side is called.
    """
    largest = found.units[["first", "second", "difference"]].astype(float).abs().max(axis=1).nlargest(MAX_UNITS).index
    frame = found.units.loc[sorted(largest)].reset_index(drop=True)
    frame["name"] = [
        unit if unit == other else f"{unit or '–'} → {other or '–'}"
        for unit, other in zip(frame["unit"], frame["other"], strict=True)
    ]
    # A place in front of each name keeps units apart that are written alike; the axis shows the name alone.
    frame["label"] = [f"{place} {name}" for place, name in enumerate(frame["name"], 1)]
    sides = {"first": names[0], "second": names[1], "difference": "Difference"}
    long = frame.melt(["label", "name"], list(sides), var_name="side", value_name="score").replace({"side": sides})
    limit = float(frame[list(sides)].abs().to_numpy().max(initial=0.0)) or 1.0
    long["sign"] = ["for" if score >= 0 else "against" for score in long["score"]]
    chart = (
        alt.Chart(long)
        .mark_bar()
        .encode(
            y=alt.Y(
                "label:N",
                sort=frame["label"].tolist(),
                axis=alt.Axis(
                    title="In the order of the text",
                    labelExpr="substring(datum.label, indexof(datum.label, ' ') + 1)",
                    labelLimit=200,
                    labelOverlap=False,
                ),
            ),
            x=alt.X("score:Q", title="Score", scale=alt.Scale(domain=[-limit, limit])),
            color=alt.Color("sign:N", title="Speaks", sort=["for", "against"], legend=alt.Legend(orient="top")),
            tooltip=["name:N", "side:N", alt.Tooltip("score:Q", format="+.4f")],
        )
        .properties(height=bar_height(len(frame), each=18) - 90, width=190)
        .facet(column=alt.Column("side:N", sort=list(sides.values()), title=None))
    )
    top = frame.iloc[int(frame["difference"].abs().to_numpy().argmax())] if len(frame) else None
    said = (
        "There is nothing to compare."
        if top is None
        else f"The largest difference is at {top['name']!r}: {top['first']:+.2f} and {top['second']:+.2f}."
    )
    title = f"{names[0]} beside {names[1]}"
    if len(frame) < len(found.units):
        title += f" (the {MAX_UNITS} largest of {len(found.units):,} scores)"
    return Figure(chart.properties(title=title), f"{title}. {said}", found.units)
