"""A text with each token on a ground whose colour is a number: drawn as a chart, so that no text becomes markup."""

import unicodedata
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import Figure

LINE = 72
SHOWN = 400
_CHARACTER, _HEIGHT, _GAP = 8.6, 26, 0.6
_FRAME = 152  # the title and the colour scale above the lines, which a page counts into the height
_PLAIN = alt.ViewBackground(stroke=None)


def coloured_tokens(
    tokens: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    unit: str,
    signed: bool = False,
    domain: tuple[float, float] | None = None,
    details: pd.DataFrame | None = None,
    line: int = LINE,
) -> Figure:
    """Draw a text token by token, in lines, with the colour of each ground a value.

    Args:
        tokens: what each shows; the first 400 are drawn.
        values: one a token; NaN is left without colour.
        title: of the chart.
        unit: title of the colour scale.
        signed: whether both signs matter, so that 0 is the middle of the scale.
        domain: ends of the colour scale; the values' own where None.
        details: a row for each token with further columns for the tooltip.
        line: characters of a line; a Chinese one counts for two.
    """
    shown, numbers = list(tokens[:SHOWN]), np.asarray(values, dtype=float)[:SHOWN]
    frame = _places(shown, line).assign(value=numbers)
    further = [] if details is None else list(details.columns)
    for name in further:
        frame[name] = details[name].to_numpy()[: len(frame)] if details is not None else None
    lines = int(frame["line"].max()) + 1 if len(frame) else 1
    down = alt.Scale(domain=[0, lines], reverse=True, nice=False)
    across = alt.Scale(domain=[0, line], nice=False)
    base = alt.Chart(frame).encode(
        x=alt.X("start:Q", scale=across, axis=None), y=alt.Y("above:Q", scale=down, axis=None)
    )
    tooltip = [alt.Tooltip("token:N"), alt.Tooltip("value:Q", title=unit, format=".3f"), *further]
    grounds = base.mark_rect(cornerRadius=3, opacity=0.55).encode(
        x2="end:Q", y2="below:Q", color=_colour(numbers, unit, signed, domain), tooltip=tooltip
    )
    words = base.mark_text(align="left", baseline="middle", fontSize=13, dx=2).encode(
        y=alt.Y("middle:Q", scale=down, axis=None), text="shown:N", tooltip=tooltip
    )
    chart = (grounds + words).properties(
        title=_cut(title, len(tokens)), height=_HEIGHT * lines + _FRAME, width=line * _CHARACTER
    )
    said = _strongest(frame, signed)
    return Figure(chart, f"{title}. {said}", frame[["position", "token", "value", *further]])


def _places(tokens: Sequence[str], line: int) -> pd.DataFrame:
    """Return where each token stands: its line, and its beginning and end in characters."""
    rows, column, number = [], 0.0, 0
    for position, token in enumerate(tokens, 1):
        shown = _visible(token)
        width = max(_width(shown), 1)
        if column and (column + width > line or (token.startswith("\n") and column)):
            column, number = 0.0, number + 1
        rows.append((position, token, shown, number, column, column + width))
        column += width + _GAP
    frame = pd.DataFrame(rows, columns=["position", "token", "shown", "line", "start", "end"])
    return frame.assign(above=frame["line"] + 0.06, middle=frame["line"] + 0.5, below=frame["line"] + 0.94)


def _visible(token: str) -> str:
    """Return a token with line breaks and a lone space as signs, and without the space before a word."""
    shown = token.replace("\n", "⏎").replace("\t", "⇥")
    return shown.strip() or "␣"


def _width(text: str) -> int:
    """Return the columns that a text takes: two for a wide character such as a Chinese one."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _colour(values: np.ndarray, unit: str, signed: bool, domain: tuple[float, float] | None) -> alt.Color:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if signed:
        high = max(abs(low), abs(high)) or 1.0
        scale = alt.Scale(domain=list(domain or (-high, high)), domainMid=0)
        return alt.Color("value:Q", title=unit, scale=scale, legend=alt.Legend(orient="top"))
    ends = domain or (min(low, 0.0), high if high > min(low, 0.0) else 1.0)
    scale = alt.Scale(domain=list(ends), clamp=True)
    return alt.Color("value:Q", title=unit, scale=scale, legend=alt.Legend(orient="top"))


def _strongest(frame: pd.DataFrame, signed: bool) -> str:
    known = frame.dropna(subset=["value"])
    if known.empty:
        return "No token has a value."
    order = known["value"].abs() if signed else known["value"]
    top = known.loc[order.nlargest(3).index]
    listed = ", ".join(f"{t!r} {v:.2f}" for t, v in zip(top["shown"], top["value"], strict=True))
    return f"The largest values are at {listed}."


def _cut(title: str, tokens: int) -> str:
    return title if tokens <= SHOWN else f"{title} (first {SHOWN} of {tokens} tokens)"
