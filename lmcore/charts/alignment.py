"""Charts of which words of two texts belong together."""

import altair as alt

from lmcore.analysis.alignment import WordAlignment
from lmcore.charts.analysis import MAX_TOKENS
from lmcore.charts.figure import Figure, bar_height, token_axis


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


def _said(found: WordAlignment) -> str:
    if not found.links:
        return "No two words are linked."
    first = ", ".join(f"{found.source[i]!r} with {found.target[j]!r}" for i, j in found.links[:3])
    return f"{len(found.links)} {'link' if len(found.links) == 1 else 'links'}, such as {first}."
