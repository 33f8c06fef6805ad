"""Charts of how probable a language model holds each token."""

from typing import TYPE_CHECKING

import altair as alt

from lmcore.charts.analysis import MAX_TOKENS
from lmcore.charts.figure import Figure
from lmcore.charts.token_colours import coloured_tokens

if TYPE_CHECKING:
    from lmcore.analysis.probabilities import TokenProbabilities

_AFTER_SPACE = "substring(datum.label, indexof(datum.label, ' ') + 1)"


def surprising_tokens(found: "TokenProbabilities", *, more: str = "") -> Figure:
    """Draw the text with each token's ground coloured by its surprisal; ``more`` is added to the title."""
    frame = found.to_frame()
    details = frame[["probability", "rank", "alternatives"]].assign(
        probability=[f"{share:.2%}" for share in frame["probability"]]
    )
    return coloured_tokens(
        found.tokens,
        found.surprisal.tolist(),
        title=f"How surprising each token is{more}",
        unit="Surprisal (bits)",
        details=details,
    )


def surprisal_and_entropy(found: "TokenProbabilities", *, more: str = "") -> Figure:
    """Draw each token's surprisal as a bar, and as a point how undecided the model was (entropy).

    Args:
        found: what was measured.
        more: is added to the title.
    """
    frame = found.to_frame().head(MAX_TOKENS)
    frame["name"] = [
        f"{position} {token.strip() or '␣'}" for position, token in zip(frame["position"], frame["token"], strict=True)
    ]
    axis = alt.Axis(
        title="Token", labelExpr=_AFTER_SPACE, labelAngle=-55, labelOverlap=False, labelFlush=False, labelLimit=110
    )
    tooltip = [
        alt.Tooltip("token:N"),
        alt.Tooltip("probability:Q", format=".2%"),
        alt.Tooltip("surprisal:Q", title="surprisal (bits)", format=".2f"),
        alt.Tooltip("entropy:Q", title="entropy (bits)", format=".2f"),
        alt.Tooltip("rank:Q"),
        alt.Tooltip("alternatives:N"),
    ]
    base = alt.Chart(frame).encode(x=alt.X("name:N", sort=None, axis=axis), tooltip=tooltip)
    kinds = alt.Scale(domain=["surprisal", "entropy"])
    long = base.transform_fold(["surprisal", "entropy"], as_=["figure", "bits"])
    colour = alt.Color("figure:N", title=None, scale=kinds, legend=alt.Legend(orient="top"))
    bars = (
        long.transform_filter("datum.figure === 'surprisal'")
        .mark_bar()
        .encode(y=alt.Y("bits:Q", title="Bits"), color=colour)
    )
    points = (
        long.transform_filter("datum.figure === 'entropy'")
        .mark_point(filled=True, size=60, shape="diamond")
        .encode(y="bits:Q", color=colour)
    )
    cut = "" if len(found.tokens) <= MAX_TOKENS else f" (first {MAX_TOKENS} of {len(found.tokens)} tokens)"
    title = f"Surprisal of each token, and how undecided the model was{more}{cut}"
    said = (
        f"The mean surprisal is {found.bits / max(found.predicted, 1):.2f} bits, the perplexity {found.perplexity:.1f}."
    )
    return Figure((bars + points).properties(title=title, height=300), f"{title}. {said}", frame.drop(columns="name"))
