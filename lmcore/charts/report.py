"""One HTML file with charts, numbers and what is needed to make them again; it loads nothing and runs nothing."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

import lmcore
from lmcore.analysis.recipes import Recipe
from lmcore.charts.figure import Figure
from lmcore.charts.palette import coloured
from lmcore.errors import InputError

MAX_ROWS = 500
_MARK = "lmscope-recipe"
_EMBEDDED = re.compile(rf'<script type="application/json" id="{_MARK}">(.*?)</script>', re.DOTALL)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1f2430; background: #fff }
table { border-collapse: collapse; font-size: 14px }
td, th { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.5rem 0; overflow-x: auto }
figcaption { color: #555; font-size: 14px }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f5f7; padding: .7rem }
"""


@dataclass(frozen=True, eq=False)
class Shared:
    """What a report carries for programs.

    Attributes:
        recipe: how the result was made.
        frame: the result.
    """

    recipe: Recipe
    frame: pd.DataFrame


def html_report(
    title: str, texts: Mapping[str, str], facts: Mapping[str, object], figures: Sequence[Figure], shared: Shared
) -> str:
    """Return a page that stands by itself.

    Everything of the user's is escaped; the charts are drawings (SVG), so that nothing is run when it is opened.

    Args:
        title: of the page.
        texts: what was analysed, by column.
        facts: what is said about the result, such as version, method and completeness error.
        figures: the charts.
        shared: the numbers, and how to make them again.
    """
    said = [(name, value) for name, value in facts.items() if value not in ("", None)]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        *(f"<h2>{html.escape(name.capitalize())}</h2><pre>{html.escape(text)}</pre>" for name, text in texts.items()),
        "<h2>Facts</h2>",
        _table(pd.DataFrame([(name, str(value)) for name, value in said], columns=["", " "])),
        *(_figure(figure) for figure in figures),
        f"<h2>Numbers</h2>{_numbers(shared.frame)}",
        f"<p>Made by LMScope {html.escape(lmcore.__version__)}. To make it again: "
        "<code>lmcore analyse rebuild this-file.html</code></p>",
        f'<script type="application/json" id="{_MARK}">{_embedded(shared)}</script>',
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def read_report(page: str) -> Shared:
    """Return what a report carries.

    Raises:
        InputError: the page is no report, or is damaged.
    """
    found = _EMBEDDED.search(page)
    if not found:
        raise InputError("The file has no recipe of LMScope: give a report that was downloaded from it.")
    try:
        values = json.loads(found[1])
        frame = pd.DataFrame(values["frame"]["data"], columns=values["frame"]["columns"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("The file's recipe is damaged: download the report again.") from error
    return Shared(Recipe.of(values.get("recipe")), frame)


def chart_svg(figure: Figure) -> str:
    """Return a chart as a drawing."""
    import vl_convert

    drawing: str = vl_convert.vegalite_to_svg(_specification(figure))
    return drawing


def chart_png(figure: Figure, *, scale: float = 2.0) -> bytes:
    """Return a chart as a picture; ``scale`` is pixels of it for each of the chart."""
    import vl_convert

    picture: bytes = vl_convert.vegalite_to_png(_specification(figure), scale=scale)
    return picture


def _specification(figure: Figure) -> dict[str, Any]:
    """Return a chart with all of its rows, however many there are, in the colours of the light theme."""
    import altair as alt

    with alt.data_transformers.enable("default", max_rows=None):
        found: dict[str, Any] = figure.chart.to_dict()
    return coloured(found)


def _figure(figure: Figure) -> str:
    return f"<figure>{chart_svg(figure)}<figcaption>{html.escape(figure.alt)}</figcaption></figure>"


def _numbers(frame: pd.DataFrame) -> str:
    more = f"<p>The first {MAX_ROWS} of {len(frame)} rows; the file carries all.</p>" if len(frame) > MAX_ROWS else ""
    return more + _table(frame.head(MAX_ROWS))


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in frame.columns)
    numeric = [pd.api.types.is_float_dtype(kind) for kind in frame.dtypes]
    lines = []
    for row in frame.itertuples(index=False):
        cells = [
            f'<td class="number">{value:.6g}</td>' if number else f"<td>{html.escape(str(value))}</td>"
            for value, number in zip(row, numeric, strict=True)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _embedded(shared: Shared) -> str:
    """Return the recipe and its result as JSON in which no tag can begin or end."""
    values: dict[str, Any] = {
        "recipe": shared.recipe.to_dict(),
        "frame": json.loads(shared.frame.to_json(orient="split", index=False, double_precision=15)),
    }
    return json.dumps(values, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
