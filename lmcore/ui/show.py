"""Showing results: figures, tables and downloads."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lmcore.charts.figure import Figure

HALF_WIDTH = 360
_SAVED = {"JSON": "its numbers, in JSON", "SVG": "a drawing", "PNG": "a picture"}
Height = int | Literal["auto", "stretch", "content"]
_WIDTHS: dict[str, int] = {"text": 440, "before": 330, "after": 330}


def plain(text: str) -> str:
    """Return a user's text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~<>$:])", r"\\\1", text)


def figure(figure: Figure, key: str, *, select: str = "") -> Any:
    """Draw a figure with its alternative text and a way to its numbers.

    Args:
        figure: what to draw.
        key: unique on the page.
        select: name of the chart's selection parameter; empty for a chart that is only looked at.

    Returns:
        What is selected, as a list of ids (empty where nothing is).
    """
    color = text_color()
    chart = figure.chart.configure_text(color=color).configure_rule(color=color)
    if not select:
        st.altair_chart(chart, key=key, alt=figure.alt)
        _downloads(figure, key)
        return []
    event = st.altair_chart(chart, key=key, alt=figure.alt, on_select="rerun", selection_mode=select)
    _downloads(figure, key)
    return event["selection"].get(select, {})


def _downloads(figure: Figure, key: str) -> None:
    """Offer a figure's numbers, and the figure as a drawing and as a picture; each is made when it is asked for."""

    def numbers() -> bytes:
        return figure.data.to_json(orient="records", force_ascii=False, double_precision=15).encode()

    def drawing() -> bytes:
        from lmcore.charts.report import chart_svg

        return chart_svg(figure).encode()

    def picture() -> bytes:
        from lmcore.charts.report import chart_png

        return chart_png(figure)

    with st.container(horizontal=True, gap="xsmall"):
        download(figure.data, key)
        kinds = (
            ("JSON", numbers, "application/json"),
            ("SVG", drawing, "image/svg+xml"),
            ("PNG", picture, "image/png"),
        )
        for label, data, kind in kinds:
            st.download_button(
                label,
                data=data,
                file_name=f"lmscope-{key}.{label.lower()}",
                mime=kind,
                key=f"download_{key}_{label.lower()}",
                type="tertiary",
                on_click="ignore",
                help=f"Download the chart as {_SAVED[label]}.",
            )


def text_color() -> str:
    """Return the colour of the text in the theme that the viewer has chosen; Vega's own text marks are always black."""
    shade = "dark" if st.context.theme.type == "dark" else "light"
    return str(st.get_option(f"theme.{shade}.textColor") or "gray")


def side_by_side(number: int = 2, *, narrowest: int = HALF_WIDTH) -> list[DeltaGenerator]:
    """Return cells that stand side by side, and below each other where one would be narrower than ``narrowest`` pixels.

    A chart that is squeezed loses its labels first and then its bars.
    """
    grid = st.grid(number, min_column_width=narrowest)
    return [grid.cell() for _ in range(number)]


def download(frame: pd.DataFrame, name: str) -> None:
    """Offer a frame as a CSV file, made when it is asked for."""
    st.download_button(
        "CSV",
        data=lambda: frame.to_csv(index=False).encode("utf-8-sig"),
        file_name=f"lmscope-{name}.csv",
        mime="text/csv",
        key=f"download_{name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        help="Download the numbers behind this.",
    )


def table(
    frame: pd.DataFrame,
    key: str,
    *,
    alt: str,
    height: Height = "auto",
    percent: Sequence[str] = (),
    formats: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Draw a table of at most some thousand rows with a download.

    Args:
        frame: the rows.
        key: unique on the page.
        alt: what it is, for people who don't see it.
        height: in pixels, or how it is found.
        percent: columns that hold shares of 1.
        formats: column of numbers to how they are written, such as ``%.3g``.
        **options: further parameters of `st.dataframe`.
    """
    columns: dict[str, Any] = {name: st.column_config.NumberColumn(format="percent") for name in percent}
    columns |= {name: st.column_config.NumberColumn(format=text) for name, text in (formats or {}).items()}
    columns |= {name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items() if name in frame}
    event = st.dataframe(frame, hide_index=True, key=key, alt=alt, height=height, column_config=columns, **options)
    download(frame, key)
    return event
