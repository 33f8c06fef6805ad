"""Charts of which words of two texts belong together."""

import altair as alt
import pandas as pd

from lmcore.analysis.alignment import WordAlignment
from lmcore.analysis.link_errors import AlignmentErrors
from lmcore.charts.analysis import MAX_TOKENS
from lmcore.charts.figure import Figure, bar_height, token_axis
from lmcore.types import count_of

LAYER = "Layer (0: embeddings)"


def word_links(found: WordAlignment) -> Figure:
    """Draw how alike each word of one text is to each of the other, with a dot where the two are linked.

    Of each text at most the first 64 words are drawn; the numbers have all. A pair with a word that was not read stays
    empty.
    """
    frame = found.to_frame()
    drawn = frame[(frame["source_place"] < MAX_TOKENS) & (frame["target_place"] < MAX_TOKENS)].copy()
    for side in ("source", "target"):
        drawn[f"{side}_name"] = (drawn[f"{side}_place"] + 1).astype(str) + " " + drawn[side]
    size = max(len(found.source), len(found.target))
    title = "Similarity of the words, and their links"
    more = "" if size <= MAX_TOKENS else f" (first {MAX_TOKENS} words of each)"
    base = alt.Chart(drawn, title=title + more).encode(
        x=alt.X(
            "target_name:N", sort=None, axis=token_axis("Second text", min(len(found.target), MAX_TOKENS), limit=140)
        ),
        y=alt.Y("source_name:N", sort=None, axis=token_axis("First text", limit=140)),
        tooltip=[
            alt.Tooltip("source:N", title="first"),
            alt.Tooltip("target:N", title="second"),
            alt.Tooltip("similarity:Q", format=".3f"),
            "linked:N",
        ],
    )
    low = min(0.0, float(drawn["similarity"].fillna(0.0).min()))
    cells = base.mark_rect(opacity=0.55).encode(
        color=alt.Color("similarity:Q", title=["Cosine", "(● linked)"], scale=alt.Scale(domain=[low, 1]))
    )
    dots = base.transform_filter("datum.linked").mark_text(text="●", fontSize=14)
    height = bar_height(min(len(found.source), MAX_TOKENS)) + 40
    return Figure((cells + dots).properties(height=height), f"{title}. {_said(found)}", frame)


def layer_errors(found: AlignmentErrors) -> Figure:
    """Draw the alignment error rate of each layer with its 95 % interval, and that of the diagonal as a dashed line."""
    frame = found.to_frame()
    base = alt.Chart(frame, title="Alignment error rate by layer, with 95 % intervals").encode(
        x=alt.X("layer:Q", title=LAYER, axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))
    )
    scale = alt.Scale(domain=[0, 1])
    hover = ["layer:Q", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in frame.columns if name != "layer")]
    band = base.mark_area(opacity=0.25).encode(
        y=alt.Y("low:Q", title="Alignment error rate (0 to 1)", scale=scale), y2="high:Q"
    )
    lines = base.mark_line().encode(y="aer:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y="aer:Q", tooltip=hover)
    level = pd.DataFrame({"diagonal": [found.diagonal["aer"]]})
    rule = alt.Chart(level).mark_rule(strokeDash=[4, 4], opacity=0.8).encode(
        y="diagonal:Q", tooltip=[alt.Tooltip("diagonal:Q", format=".3f")]
    )  # fmt: skip
    return Figure((band + rule + lines + points).properties(height=320), found.verdict(), frame)


def _said(found: WordAlignment) -> str:
    if not found.links:
        return "No two words are linked."
    first = ", ".join(f"{found.source[i]!r} with {found.target[j]!r}" for i, j in found.links[:3])
    return f"{count_of(len(found.links), 'link')}, such as {first}."
