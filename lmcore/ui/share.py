"""Taking a view along: one HTML file with its charts and numbers, and a picture of a chart."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from lmcore.analysis.recipes import Recipe
from lmcore.charts.figure import Figure


def report_button(
    title: str,
    key: str,
    recipe: Recipe,
    frame: pd.DataFrame,
    *,
    texts: Mapping[str, str],
    facts: Mapping[str, object],
    figures: Callable[[], Sequence[Figure]],
) -> None:
    """Draw the button that downloads a view as one HTML file; the file is made when it is pressed.

    Args:
        title: of the report.
        key: unique on the page; the file's name.
        recipe: how the result was made.
        frame: the result.
        texts: what was analysed, by column.
        facts: what is said about the result.
        figures: makes the charts.
    """

    def page() -> bytes:
        from lmcore.charts.report import Shared, html_report

        said = {"Version": recipe.version, "Weights": recipe.weights, **facts, **_plain(recipe.arguments)}
        return html_report(title, texts, said, figures(), Shared(recipe, frame)).encode()

    st.download_button(
        "Report (HTML)",
        data=page,
        file_name=f"{key}.html",
        mime="text/html",
        key=f"report_{key}",
        icon=":material/share:",
        on_click="ignore",
        help="One file with the charts, the numbers, and what is needed to make them again. It needs no network.",
    )


def _plain(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return a recipe's arguments as facts; texts have a place of their own."""
    left_out = {"text", "output"}
    return {name.replace("_", " ").capitalize(): value for name, value in arguments.items() if name not in left_out}
