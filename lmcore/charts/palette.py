"""The colours of a chart that stands by itself, without a page and its theme: those of the light theme."""

from typing import Any

TEXT = "#1c2430"
CATEGORIES = ("#0072b2", "#d98200", "#009e73", "#b5538f", "#4aa3d8", "#c44e00", "#6b6b6b", "#8c7a00")
SEQUENCE = (
    "#eef4fb", "#d6e6f4", "#b8d5ec", "#93c1e2", "#6aa9d6", "#458fc6", "#2a74b2", "#185a98", "#0d427a", "#072c57",
)  # fmt: skip
TWO_WAYS = (
    "#8a3f00", "#b96312", "#dc8f45", "#f0be8a", "#f9e6d3", "#d9e8f5", "#9dc6e6", "#5a9fd0", "#2374b0", "#0a4a80",
)  # fmt: skip


def coloured(specification: dict[str, Any]) -> dict[str, Any]:
    """Return a chart's Vega-Lite specification with the colours of the light theme, where it names none of its own."""
    known = specification.get("config", {})
    colours: dict[str, dict[str, Any]] = {
        "range": {
            "category": list(CATEGORIES), "ramp": list(SEQUENCE), "heatmap": list(SEQUENCE), "diverging": list(TWO_WAYS),
        },
        "mark": {"color": CATEGORIES[0]},
        "text": {"color": TEXT},
        "rule": {"color": TEXT},
        "axis": {"labelColor": TEXT, "titleColor": TEXT},
        "legend": {"labelColor": TEXT, "titleColor": TEXT},
        "title": {"color": TEXT},
    }  # fmt: skip
    merged = {name: {**own, **known.get(name, {})} for name, own in colours.items()}
    return {**specification, "config": {**known, **merged}}
