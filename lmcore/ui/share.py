"""Taking a view along: one HTML file with its charts and numbers, and what is needed to make them again."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lmcore.analysis.recipes import RECIPES, Recipe, frame_of
from lmcore.charts.figure import Figure
from lmcore.ui import cache

# Arguments that are a user's texts: they have a place of their own in a report.
_TEXTS = ("text", "corrupted", "source", "target", "output", "towards", "away")


def report_button(
    analysis: str,
    version: str,
    found: Any,
    arguments: Mapping[str, Any],
    figures: Sequence[Figure],
    *,
    title: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Draw the button that downloads a result as one HTML file; the file is made when it is pressed.

    Args:
        analysis: a name of the registry RECIPES, once on a page.
        version: the model.
        found: the result: a table, or what has ``to_frame``, as the recipe returns it.
        arguments: what the recipe takes, JSON-like.
        figures: the charts.
        title: of the report; the analysis' own where empty.
        facts: what is said of the result besides the arguments.
    """
    pool = cache.pool()

    def page() -> bytes:
        from lmcore.charts.report import Shared, html_report

        with pool.lease(version) as loaded:
            weights = loaded.fingerprint
        recipe = Recipe(analysis, version, weights, arguments)
        said = {"Version": version, "Weights": weights, **(facts or {}), **_plain(arguments)}
        shared = Shared(recipe, frame_of(found))
        return html_report(title or RECIPES[analysis].title, texts_of(arguments), said, figures, shared).encode()

    st.download_button(
        "Report (HTML)",
        data=page,
        file_name=f"lmscope-{analysis.replace('_', '-')}.html",
        mime="text/html",
        key=f"report_{analysis}",
        icon=":material/share:",
        on_click="ignore",
        help="One file with the charts, the numbers, and what is needed to make them again. It needs no network.",
    )


def texts_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts among a recipe's arguments; those of an input that has several each by its column."""
    found: dict[str, str] = {}
    for name in _TEXTS:
        value = arguments.get(name)
        if isinstance(value, str):
            found[name] = value
        elif isinstance(value, Mapping) and name in ("text", "corrupted"):
            found |= {column if name == "text" else f"{name} {column}": str(text) for column, text in value.items()}
        elif isinstance(value, list | tuple):
            found[name] = "\n".join(map(str, value))
    for side in ("first", "second"):
        if isinstance(arguments.get(side), Mapping):
            found |= {f"{side} {name}": text for name, text in texts_of(arguments[side]).items()}
    return {name: text for name, text in found.items() if text}


def _plain(arguments: Mapping[str, Any]) -> dict[str, object]:
    """Return a recipe's arguments as facts, without the texts."""
    texts = texts_of(arguments)
    left_out = {name for name in _TEXTS if name in texts or name in ("text", "corrupted")}
    return {name.replace("_", " ").capitalize(): value for name, value in arguments.items() if name not in left_out}
