"""Charts of maps and outliers."""

import altair as alt
import pandas as pd

from lmcore.charts.figure import Figure
from lmcore.projection.methods import OUTLIERS, PROJECTION
from lmcore.projection.representations import RepresentationMap

SELECTION = "picked"
COLORS = {"label": "Label", "predicted": "Prediction", "correct": "Correctness", "is_outlier": "Outlier"}
_OPACITY = 0.75


def scatter(result: RepresentationMap, color: str) -> Figure:
    """Draw a map of texts; a brush selects points.

    Args:
        result: the map.
        color: one of the keys of `COLORS`; a shape tells the classes apart too where there are at most eight.
    """
    method = PROJECTION[result.parameters["method"]].title
    points = result.points.astype({"is_outlier": str}).replace({"is_outlier": {"True": "outlier", "False": "ordinary"}})
    points["text"], points["row"] = points["text"].str.slice(0, 120), points["id"] + 1
    shares = result.explained_variance
    units = [f"{method} axis {n + 1}" + (f" ({shares[n]:.1%} of the variance)" if shares else "") for n in range(2)]
    names = sorted(points[color].unique())
    legend = alt.Legend(orient="right", labelLimit=220, symbolLimit=20)
    brush = alt.selection_interval(name=SELECTION, encodings=["x", "y"])
    shape = alt.Shape(f"{color}:N", legend=legend, title=COLORS[color]) if len(names) <= 8 else alt.value("circle")
    title = f"{method} of layer {result.layer}: {len(points):,} texts by {COLORS[color].lower()}"
    hover = ["row:Q", "text:N", "label:N", "predicted:N", alt.Tooltip("score:Q", format=".2f")]
    chart = (
        alt.Chart(points, title=title)
        .mark_point(filled=True, size=45, opacity=_OPACITY)
        .encode(
            x=alt.X("x:Q", title=units[0], scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", title=units[1], scale=alt.Scale(zero=False)),
            color=alt.Color(f"{color}:N", legend=legend, title=COLORS[color]),
            shape=shape,
            tooltip=hover,
        )
        .add_params(brush)
        .properties(height=520)
    )
    counts = ", ".join(f"{name or 'none'} {count}" for name, count in points[color].value_counts().items())
    return Figure(chart, f"{title}. Texts by {COLORS[color].lower()}: {counts}.", result.points)


def selected_ids(points: pd.DataFrame, selection: dict[str, list[float]]) -> list[int]:
    """Return the ids of the points inside a brush (``{"x": [low, high], "y": [low, high]}``)."""
    if not {"x", "y"} <= selection.keys():
        return []
    (left, right), (low, high) = sorted(selection["x"]), sorted(selection["y"])
    inside = points["x"].between(left, right) & points["y"].between(low, high)
    return [int(i) for i in points.loc[inside, "id"]]


def outlier_scores(result: RepresentationMap) -> Figure:
    """Draw how far out the texts lie in the full space, with the flagged ones apart."""
    points = result.points[["id", "outlier", "is_outlier"]].copy()
    points["flag"] = points["is_outlier"].map({True: "outlier", False: "ordinary"})
    score = OUTLIERS[result.parameters["outliers"]].title.lower()
    chart = (
        alt.Chart(points, title="How far out the texts lie in the full space")
        .mark_bar()
        .encode(
            x=alt.X("outlier:Q", bin=alt.Bin(maxbins=40), title=f"Outlier score ({score})"),
            y=alt.Y("count():Q", title="Texts"),
            color=alt.Color("flag:N", title=None, legend=alt.Legend(orient="top")),
        )
        .properties(height=300)
    )
    flagged = int(points["is_outlier"].sum())
    said = f"{flagged} of {len(points)} texts {'is' if flagged == 1 else 'are'} far out."
    return Figure(chart, said, points.drop(columns="flag"))


def map_verdict(result: RepresentationMap) -> str:
    """Say in plain sentences how far the map can be trusted and what is odd on it."""
    said = []
    if len(result.points) < result.rows_total:
        said.append(f"A sample of {len(result.points):,} out of {result.rows_total:,} rows is shown.")
    if result.quality:
        trust, continuity = result.quality["trustworthiness"], result.quality["continuity"]
        word = (
            "well" if min(trust, continuity) >= 0.95 else "fairly well" if min(trust, continuity) >= 0.85 else "poorly"
        )
        said.append(
            f"The map keeps neighbourhoods {word}: trustworthiness {trust:.3f}, continuity {continuity:.3f} (1 is best)."
        )
    return " ".join([*said, _about_outliers(result.points)])


def _about_outliers(points: pd.DataFrame) -> str:
    outliers = points[points["is_outlier"]]
    wrong = int((outliers["correct"] == "wrong").sum())
    judged = len(outliers) and (outliers["correct"] != "").all()
    if len(outliers) == 1:
        verdict = f", and it is predicted {'wrongly' if wrong else 'rightly'}" if judged else ""
        return f"1 text lies far out in the full space{verdict}."
    verdict = f", {wrong or 'none'} of them predicted wrongly" if judged else ""
    return f"{len(outliers) or 'No'} text{'s lie' if len(outliers) else ' lies'} far out in the full space{verdict}."
