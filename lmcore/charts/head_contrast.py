"""Charts of two attention heads side by side."""

import altair as alt

from lmcore.analysis.attention.head_contrast import HeadContrast
from lmcore.charts.attention import MAX_TOKENS
from lmcore.charts.figure import Figure, bar_height, token_axis


def head_difference(found: HeadContrast, names: tuple[str, str]) -> Figure:
    """Draw the second head's map less the first's: row = the token that looks, column = what it looks at.

    Args:
        found: the two; at most their first 64 tokens are drawn.
        names: what each head is called.
    """
    frame = found.to_frame()
    frame = frame[(frame["row"] <= MAX_TOKENS) & (frame["column"] <= MAX_TOKENS)].reset_index(drop=True)
    frame["looks"] = [f"{row} {token}" for row, token in zip(frame["row"], frame["from"], strict=True)]
    frame["at"] = [f"{column} {token}" for column, token in zip(frame["column"], frame["to"], strict=True)]
    limit = float(frame["difference"].abs().max()) or 1.0
    title = f"{names[1]} less {names[0]}"
    chart = (
        alt.Chart(frame, title=title)
        .mark_rect()
        .encode(
            x=alt.X("at:N", sort=None, axis=token_axis("Looked at", min(len(found.maps.tokens), MAX_TOKENS))),
            y=alt.Y("looks:N", sort=None, axis=token_axis("Token that looks")),
            color=alt.Color("difference:Q", title="Difference", scale=alt.Scale(domain=[-limit, limit], domainMid=0)),
            tooltip=["looks:N", "at:N", *(alt.Tooltip(f"{side}:Q", format=".3f") for side in ("first", "second"))],
        )
        .properties(height=bar_height(min(len(found.maps.rows), MAX_TOKENS), each=18) + 60)
    )
    top = frame.iloc[int(frame["difference"].abs().to_numpy().argmax())]
    said = f"They differ most at {top['from']!r} looking at {top['to']!r}: {top['first']:.2f} and {top['second']:.2f}."
    return Figure(chart, f"{title}. {said}", found.to_frame())


def row_distances(found: HeadContrast) -> Figure:
    """Draw how far apart both heads look from each token."""
    frame = found.by_row().head(MAX_TOKENS)
    frame["name"] = [f"{row} {token}" for row, token in zip(frame["row"], frame["token"], strict=True)]
    chart = (
        alt.Chart(frame, title="How far apart both look")
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=token_axis("Token that looks")),
            x=alt.X("distance:Q", title="Jensen-Shannon distance (0 to 1)", scale=alt.Scale(domain=[0, 1])),
            tooltip=["token:N", alt.Tooltip("distance:Q", format=".3f")],
        )
        .properties(height=bar_height(len(frame), each=18) + 60)
    )
    top = frame.iloc[int(frame["distance"].to_numpy().argmax())]
    said = f"Both look farthest apart from {top['token']!r}: {top['distance']:.2f}."
    return Figure(chart, said, found.by_row())
