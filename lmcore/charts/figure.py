"""A chart with what a page needs beside it."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

ROW_HEIGHT = 24
FRAME_HEIGHT = 110


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


def bar_height(rows: int, *, each: int = ROW_HEIGHT) -> int:
    """Return a chart height in pixels: room for each row, and for title, legend and axis around them."""
    return rows * each + FRAME_HEIGHT


def text_axis(title: str | None = None, *, limit: int = 260) -> alt.Axis:
    """Return an axis for category names that shows every name, cut after ``limit`` pixels."""
    return alt.Axis(title=title, labelLimit=limit, labelOverlap=False, labelFlush=False)
