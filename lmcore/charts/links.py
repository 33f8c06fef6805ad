"""Charts of why two words are linked: the words of both texts, coloured."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lmcore.charts.figure import Figure
from lmcore.charts.token_colours import coloured_tokens

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution

_LINE = 40  # characters that half a page has room for
_ROOM = 40  # pixels more than a coloured text takes, since one of a single line is pressed by title and scale
_TITLES = ("First text", "Second text")


def linked_words(found: "Attribution", unit: str = "word") -> list[Figure]:
    """Draw each of two texts with its units coloured by what they are worth for a link, on one scale.

    Args:
        found: an attribution of a link.
        unit: ``token``, ``word``, ``phrase`` or ``sentence``.
    """
    frame = found.by_unit(unit)
    largest = float(np.abs(frame["score"]).max()) or 1.0
    begins = [*sorted(found.reading.parts.values()), len(found.text_tokens.text)]
    figures = []
    for title, begin, end in zip(_TITLES, begins[:-1], begins[1:], strict=True):
        own = frame[(frame["start"] >= begin) & (frame["start"] < end)]
        figure = coloured_tokens(
            own["unit"].tolist(),
            own["score"].tolist(),
            title=title,
            unit="For the link (+), against (-)",
            signed=True,
            domain=(-largest, largest),
            line=_LINE,
        )
        figures.append(replace(figure, chart=figure.chart.properties(height=figure.chart.height + _ROOM)))
    return figures
