"""Charts of what happens inside a model: every function takes numbers and returns a `Figure`."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import FEWEST_ROWS, Figure, bar_height, legend_above, text_axis, token_axis

MAX_TOKENS = 64
MAX_UNITS = 80
_SILENT_END = 4  # units without a score that are worth leaving out
FEWEST_LAYERS = 4  # that a map has room for, so that the cells of fewer are seen


def class_probabilities(probabilities: Mapping[str, float]) -> Figure:
    """Draw the probability of each class, the largest first."""
    frame = pd.DataFrame({"class": list(probabilities), "probability": list(probabilities.values())})
    frame = frame.sort_values("probability", ascending=False)
    base = alt.Chart(frame, title="Probability of each class").encode(
        y=alt.Y("class:N", sort=None, axis=text_axis("Class")),
        x=alt.X(
            "probability:Q",
            title="Probability (0 to 1)",
            scale=alt.Scale(domain=[0, 1.1], clamp=True),  # with room for the number at the end of the longest bar
            axis=alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1]),
        ),
    )
    bars = base.mark_bar().encode(tooltip=["class:N", alt.Tooltip("probability:Q", format=".4f")])
    values = base.mark_text(align="left", dx=4).encode(text=alt.Text("probability:Q", format=".1%"))
    said = ", ".join(f"{name} {value:.1%}" for name, value in zip(frame["class"], frame["probability"], strict=True))
    return Figure((bars + values).properties(height=bar_height(len(frame))), f"Probabilities: {said}.", frame)


def token_scores(
    units: Sequence[str],
    scores: Sequence[float],
    *,
    title: str,
    towards: str,
    away: str = "",
    measure: str = "logits",
) -> Figure:
    """Draw signed attribution scores of tokens or words, in the order of the text.

    Args:
        units: tokens or words; of more than 80 those with the largest scores are drawn, and a longer end without any score
            (what is written after the target) is left out; the numbers have all.
        scores: one a unit; positive speaks for the target.
        title: of the chart.
        towards: the class that positive scores speak for.
        away: the class that negative scores speak for; empty for "against".
        measure: the unit of the scores.
    """
    frame = pd.DataFrame(
        {"position": range(1, len(units) + 1), "unit": list(units), "score": np.asarray(scores, float)}
    )
    frame["name"] = [f"{position} {unit}" for position, unit in enumerate(units, 1)]
    against = away or f"not {towards}"
    frame["speaks for"] = np.where(frame["score"] >= 0, towards, against)
    limit = float(frame["score"].abs().max()) if frame["score"].any() else 1.0
    drawn, cut = _most_telling(frame)
    chart = (
        alt.Chart(drawn, title=title + cut)
        .mark_bar()
        .encode(
            y=alt.Y(
                "name:N",
                sort=None,
                axis=token_axis("In the order of the text", limit=220),
            ),
            x=alt.X("score:Q", title=f"Attribution ({measure})", scale=alt.Scale(domain=[-limit, limit])),
            color=alt.Color(
                "speaks for:N",
                title="Speaks for",
                sort=[towards, against],
                legend=legend_above([towards, against]),
            ),
            tooltip=["unit:N", alt.Tooltip("score:Q", format="+.4f"), "speaks for:N"],
        )
        .properties(height=bar_height(len(drawn), legend=3))
    )
    top = frame[frame["score"] > 0].sort_values("score", ascending=False).head(3)
    listed = ", ".join(f"{u!r} {s:+.2f}" for u, s in zip(top["unit"], top["score"], strict=True))
    said = f"What speaks most for {towards}: {listed}." if listed else f"Nothing speaks for {towards}."
    return Figure(chart, f"{title}. {said}", frame[["position", "unit", "score"]])


def _most_telling(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the units to draw, and what the title says of those that are left out."""
    scored = frame.index[frame["score"] != 0]
    end = scored[-1] + 1 if len(scored) else len(frame)
    if len(frame) - end < _SILENT_END:
        end = len(frame)
    drawn = frame.iloc[:end]
    if len(drawn) > MAX_UNITS:
        drawn = drawn.loc[drawn["score"].abs().nlargest(MAX_UNITS).index].sort_values("position")
        return drawn, f" (the {MAX_UNITS} largest of {len(frame):,} scores)"
    return drawn, "" if end == len(frame) else f" (the last {len(frame) - end} have no score)"


def layer_by_token(values: np.ndarray, tokens: Sequence[str], *, title: str, unit: str, first: int = 0) -> Figure:
    """Draw one value for each layer and token as a heat map.

    Args:
        values: shape (layers, tokens).
        tokens: at most the first 64 are drawn.
        title: of the chart.
        unit: title of the colour scale.
        first: the number of the first layer; 0 is the embeddings.
    """
    frame = _grid(values[:, :MAX_TOKENS], tokens[:MAX_TOKENS])
    frame["row"] += first
    frame["share"] = frame["value"] / frame.groupby("row")["value"].transform("max").replace(0, 1)
    chart = (
        alt.Chart(frame, title=_cut(title, len(tokens)))
        .mark_rect()
        .encode(
            x=alt.X("column:N", sort=None, axis=token_axis("Token", min(len(tokens), MAX_TOKENS))),
            y=alt.Y("row:O", title="Layer" if first else "Layer (0: embeddings)", sort="descending"),
            color=alt.Color("share:Q", title=unit, scale=alt.Scale(domain=[0, 1])),
            tooltip=["token:N", alt.Tooltip("row:O", title="layer"), alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=bar_height(values.shape[0]) + 60)
    )
    strongest = frame.sort_values("value").iloc[-1]
    said = f"The largest value is at {strongest['token']!r} in layer {strongest['row']}: {strongest['value']:.2f}."
    return Figure(chart, f"{title}. {said}", frame[["row", "position", "token", "value"]])


def token_by_token(weights: np.ndarray, tokens: Sequence[str], *, title: str) -> Figure:
    """Draw attention or rollout as a heat map: row = the token that looks, column = what it looks at.

    Args:
        weights: shape (tokens, tokens), rows sum to 1.
        tokens: at most the first 64 are drawn.
        title: of the chart.
    """
    frame = _grid(weights[:MAX_TOKENS, :MAX_TOKENS], tokens[:MAX_TOKENS])
    names = [f"{n} {t}" for n, t in enumerate(tokens[:MAX_TOKENS])]
    frame["from"] = frame["row"].map(lambda r: names[r])
    chart = (
        alt.Chart(frame, title=_cut(title, len(tokens)))
        .mark_rect()
        .encode(
            x=alt.X("column:N", sort=None, axis=token_axis("Looked at", len(names))),
            y=alt.Y(
                "from:N",
                sort=None,
                axis=token_axis("Token that looks", limit=180),
            ),
            color=alt.Color("value:Q", title="Weight", scale=alt.Scale(domainMin=0)),
            tooltip=["from:N", "token:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=bar_height(max(len(names), FEWEST_ROWS), each=18) + 60)
    )
    off = frame[frame["row"] != frame["position"]]
    said = ""
    if len(off):
        top = off.sort_values("value").iloc[-1]
        said = f" The strongest link goes from {tokens[top['row']]!r} to {top['token']!r}: {top['value']:.2f}."
    return Figure(chart, f"{title}.{said}", frame[["row", "position", "token", "value"]])


def head_entropies(entropies: np.ndarray) -> Figure:
    """Draw how widely each head looks.

    Args:
        entropies: mean entropy of a head's attention in nats, shape (layers, heads).
    """
    layers, heads = entropies.shape
    frame = pd.DataFrame(
        [(n + 1, h + 1, float(entropies[n, h])) for n in range(layers) for h in range(heads)],
        columns=["layer", "head", "entropy"],
    )
    chart = (
        alt.Chart(frame, title="How widely each head looks")
        .mark_rect()
        .encode(
            x=alt.X("head:O", title="Head", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("layer:O", title="Layer", sort="descending"),
            color=alt.Color("entropy:Q", title="Entropy (nats)", scale=alt.Scale(domainMin=0)),
            tooltip=["layer:O", "head:O", alt.Tooltip("entropy:Q", format=".3f")],
        )
        .properties(height=bar_height(max(layers, FEWEST_LAYERS)))
    )
    low = frame.sort_values("entropy").iloc[0]
    said = (
        f"The most focused head is head {low['head']:.0f} of layer {low['layer']:.0f} with {low['entropy']:.2f} nats."
    )
    return Figure(chart, said, frame)


def _grid(values: np.ndarray, tokens: Sequence[str]) -> pd.DataFrame:
    rows, columns = values.shape
    return pd.DataFrame(
        {
            "row": np.repeat(np.arange(rows), columns),
            "position": np.tile(np.arange(columns), rows),
            "token": np.tile(np.asarray(tokens, dtype=object), rows),
            "column": np.tile([f"{n} {token}" for n, token in enumerate(tokens)], rows),
            "value": values.astype(float).ravel(),
        }
    )


def _cut(title: str, tokens: int) -> str:
    return title if tokens <= MAX_TOKENS else f"{title} (first {MAX_TOKENS} of {tokens} tokens)"
