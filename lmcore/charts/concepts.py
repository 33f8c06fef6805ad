"""Charts of how an output answers to concepts, and of factors."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lmcore.analysis.concepts.factors import Factors
from lmcore.analysis.concepts.testing import ConceptTest
from lmcore.charts.figure import Figure, bar_height

YES, NO = "significant", "not significant"


def concept_scores(found: ConceptTest, concept: str) -> Figure:
    """Draw a concept's score by layer, over the band in which random sets lie."""
    frame = _marked(found, concept)
    base = _by_layer(frame, f"TCAV score of {concept} by layer", "over that of random sets")
    axis = alt.Y("random_low:Q", title="Share that rises (0 to 1)", scale=alt.Scale(domain=[0, 1]))
    band = base.mark_bar(opacity=0.3).encode(y=axis, y2="random_high:Q")
    rules = base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q")
    return Figure((band + rules + _points(base, "score:Q")).properties(height=260), _said(frame, concept), frame)


def concept_effects(found: ConceptTest, concept: str) -> Figure:
    """Draw a concept's effect by layer, over twice the standard deviation of the random sets' effects to either side."""
    frame = _marked(found, concept)
    frame = frame.assign(above=2 * frame["random_effect"], below=-2 * frame["random_effect"])
    what = f"{found.target.label} rather than {found.target.against}" if found.target.against else found.target.label
    base = _by_layer(frame, f"Effect of {concept} on {what}", "over that of random sets")
    axis = alt.Y("below:Q", title="Effect (unit of the target)")
    band = base.mark_bar(opacity=0.3).encode(y=axis, y2="above:Q")
    rules = base.mark_rule(strokeWidth=2).encode(y="effect:Q", y2=alt.datum(0))
    chart = (band + rules + _points(base, "effect:Q")).properties(height=260)
    return Figure(chart, _said(frame, concept), frame)


def factor_examples(found: Factors, *, factor: int) -> Figure:
    """Draw the strongest words or texts of one factor.

    Args:
        found: the factors.
        factor: its number, from 1.
    """
    frame = found.top[found.top["factor"] == factor].copy()
    cells = frame["word"] if found.level == "word" else frame["text"].str.slice(0, 60)
    frame["name"] = [f"{rank} {cell}" for rank, cell in zip(frame["rank"], cells, strict=True)]
    share = float(frame["share"].iloc[0])
    chart = (
        alt.Chart(frame, title=f"Factor {factor} of layer {found.layer}, {share:.0%} of all")
        .mark_bar()
        .encode(
            y=alt.Y(
                "name:N",
                sort=None,
                axis=alt.Axis(
                    title="Strongest first", labelLimit=260, labelOverlap=False, labelFlush=False,
                    labelExpr="substring(datum.label, indexof(datum.label, ' ') + 1)",
                ),
            ),
            x=alt.X("weight:Q", title="Weight"),
            tooltip=["text:N", alt.Tooltip("weight:Q", format=".3f")],
        )
        .properties(height=bar_height(len(frame), each=20))
    )  # fmt: skip
    listed = ", ".join(dict.fromkeys(str(cell) for cell in cells.head(8)))
    return Figure(chart, f"Factor {factor} is strongest in: {listed}.", frame.drop(columns="name"))


def _marked(found: ConceptTest, concept: str) -> pd.DataFrame:
    frame = found.table[found.table["concept"] == concept]
    return frame.assign(finding=np.where(frame["significant"], YES, NO))


def _by_layer(frame: pd.DataFrame, title: str, below: str) -> alt.Chart:
    return alt.Chart(frame, title=alt.Title(title, subtitle=below)).encode(
        x=alt.X("layer:O", title="Layer (0: embeddings)", axis=alt.Axis(labelAngle=0)),
        tooltip=[
            "layer:O",
            alt.Tooltip("score:Q", format=".2f"),
            alt.Tooltip("effect:Q", format="+.3f"),
            alt.Tooltip("accuracy:Q", title="direction's accuracy", format=".2f"),
            alt.Tooltip("p_bonferroni:Q", title="p (Bonferroni)", format=".3g"),
            alt.Tooltip("p_fdr:Q", title="p (FDR)", format=".3g"),
        ],
    )


def _points(base: alt.Chart, field: str) -> Any:
    both = alt.Scale(domain=[YES, NO])
    return base.mark_point(filled=True, size=80, opacity=1).encode(
        y=alt.Y(field),
        color=alt.Color("finding:N", title=None, scale=both, legend=alt.Legend(orient="top")),
        shape=alt.Shape("finding:N", title=None, scale=both),
    )


def _said(frame: pd.DataFrame, concept: str) -> str:
    sure = frame[frame["significant"]]
    if sure.empty:
        return f"{concept}: in no layer do random sets differ from it."
    top = sure.iloc[int(sure["effect"].abs().to_numpy().argmax())]
    return (
        f"{concept}: significant in {len(sure)} of {len(frame)} layers, most in layer {top['layer']} with an effect of "
        f"{top['effect']:+.2f} and a score of {top['score']:.2f}."
    )
