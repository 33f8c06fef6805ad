"""A chart with what a page needs beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

SLANTED = 24
ROW_HEIGHT = 24
FRAME_HEIGHT = 110
FEWEST_ROWS = 7  # as high as the title of their axis is long
LEGEND_LINE, _LEGEND_GAP = 18, 14
_LEGEND_WIDTH, _SYMBOL_WIDTH, _LETTER_WIDTH = 400, 30, 6.3  # pixels: of a chart in half a page, and in its legend
_AFTER_SPACE = "substring(datum.label, indexof(datum.label, ' ') + 1)"


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart, what it shows in words, and its numbers.

    Attributes:
        chart: the Altair chart; it has a title and axis titles with units, and no colours of its own, so that the
            theme's palette applies in light and dark.
        alt: one or two sentences for people who don't see it, naming the main figures.
        data: the numbers behind it, for download.
    """

    chart: Any
    alt: str
    data: pd.DataFrame


def bar_height(rows: int, *, each: int = ROW_HEIGHT, legend: int = 0) -> int:
    """Return a chart height in pixels: room for each row, and for title and axis around them.

    Args:
        rows: of the chart.
        each: pixels of a row.
        legend: lines of a legend above the chart, its title among them.
    """
    return rows * each + FRAME_HEIGHT + (LEGEND_LINE * legend + _LEGEND_GAP if legend else 0)


def legend_above(names: Sequence[str]) -> alt.Legend | None:
    """Return a legend above a chart with as many names side by side as have room; None for a single name."""
    if len(names) < 2:
        return None
    each = _SYMBOL_WIDTH + _LETTER_WIDTH * max(map(len, names))
    columns = min(len(names), max(1, int(_LEGEND_WIDTH / each)))
    return alt.Legend(orient="top", columns=columns, labelLimit=_LEGEND_WIDTH - _SYMBOL_WIDTH)


def text_axis(title: str | None = None, *, limit: int = 260) -> alt.Axis:
    """Return an axis for category names that shows every name, cut after ``limit`` pixels."""
    return alt.Axis(title=title, labelLimit=limit, labelOverlap=False, labelFlush=False)


def token_axis(title: str, below: int = 0, *, limit: int = 110, extent: int | None = None) -> alt.Axis:
    """Return an axis of tokens or words, each named without the number that keeps equal ones apart.

    Args:
        title: of the axis.
        below: how many stand side by side below the chart: up to 24 are slanted, more stand upright, and where even
            these have no room every other one is named; 0 for names beside the chart.
        limit: after how many pixels a name is cut.
        extent: the least pixels that all names take, so that charts on top of each other begin at one place.
    """
    upright = below > SLANTED
    return alt.Axis(
        title=title,
        labelExpr=_AFTER_SPACE,
        labelAngle=0 if not below else -90 if upright else -55,
        labelOverlap="parity" if upright else False,
        labelFlush=False,
        labelLimit=limit,
        minExtent=alt.Undefined if extent is None else extent,
    )
