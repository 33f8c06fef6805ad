"""Charts of two attributions side by side."""

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lmcore.analysis.attribution.contrast import Contrast
from lmcore.charts.figure import FEWEST_ROWS, Figure, bar_height, token_axis

MAX_UNITS = 120
_APART = 2.4  # widths of a side's half, from one side's zero to the next one's


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
    top = frame.iloc[int(frame["difference"].abs().to_numpy().argmax())] if len(frame) else None
    said = (
        "There is nothing to compare."
        if top is None
        else f"The largest difference is at {top['name']!r}: {top['first']:+.2f} and {top['second']:+.2f}."
    )
    title = f"{names[0]} beside {names[1]}"
    if len(frame) < len(found.units):
        title += f" (the {MAX_UNITS} largest of {len(found.units):,} scores)"
    chart = _three_sides(frame, {"first": names[0], "second": names[1], "difference": "Difference"})
    return Figure(chart.properties(title=title), f"{title}. {said}", found.units)


def _three_sides(frame: pd.DataFrame, sides: dict[str, str]) -> Any:
    """Return the three sides in one plot, each around a zero of its own: facets would not become narrower with a page."""
    sizes = frame[list(sides)].abs().to_numpy(dtype=float)
    limit = float(sizes[np.isfinite(sizes)].max(initial=0.0)) or 1.0
    step = _APART * limit
    zeros = pd.DataFrame({"side": list(sides.values()), "zero": [step * place for place in range(len(sides))]})
    # A place in front of each name keeps units apart that are written alike; the axis shows the name alone.
    frame["label"] = [f"{place} {name}" for place, name in enumerate(frame["name"], 1)]
    long = frame.melt(["label", "name"], list(sides), var_name="side", value_name="score").replace({"side": sides})
    long = long.merge(zeros, on="side")
    long["end"] = long["zero"] + long["score"]
    long["sign"] = ["for" if score >= 0 else "against" for score in long["score"]]
    across = alt.Scale(domain=[-step / 2, step * (len(sides) - 0.5)], nice=False)
    bars = (
        alt.Chart(long)
        .mark_bar()
        .encode(
            y=alt.Y("label:N", sort=frame["label"].tolist(), axis=token_axis("In the order of the text", limit=160)),
            x=alt.X("zero:Q", title="Score", scale=across, axis=_axis(zeros["zero"].tolist(), limit, step)),
            x2="end:Q",
            color=alt.Color(
                "sign:N", title="Speaks", sort=["for", "against"], legend=alt.Legend(orient="top", offset=30)
            ),
            tooltip=["name:N", "side:N", alt.Tooltip("score:Q", format="+.4f")],
        )
    )
    named = alt.Chart(zeros).mark_text(baseline="bottom", limit=150).encode(x="zero:Q", y=alt.value(-8), text="side:N")
    return alt.layer(bars, named).properties(height=bar_height(max(len(frame), FEWEST_ROWS), each=18, legend=4))


def _axis(zeros: list[float], limit: float, step: float) -> Any:
    """Return an axis that counts anew around each zero."""
    tick = 10 ** math.floor(math.log10(limit))
    tick *= next((times for times in (5, 2, 1) if times * tick <= limit), 0.5)
    return alt.Axis(
        values=[zero + sign * tick for zero in zeros for sign in (-1, 0, 1)],
        labelExpr=f"format(datum.value - {step} * round(datum.value / {step}), '~g')",
    )
