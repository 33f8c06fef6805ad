"""Charts of how alike layers are: each with each, and what became of each."""

import altair as alt
import pandas as pd

from lmcore.analysis.similarity.methods import SIMILARITY
from lmcore.analysis.similarity.result import LayerSimilarity
from lmcore.charts.figure import Figure, bar_height

EMBEDDINGS = "0: embeddings"
FEW_LAYERS = 13


def layer_matrix(found: LayerSimilarity) -> Figure:
    """Draw how alike each layer is to each, the embeddings at the lower left.

    The colours run from 0 to 1, and from the lowest value where that is below 0.
    """
    title = SIMILARITY[found.method].title
    frame = found.to_frame()
    low = min(0.0, float(found.matrix.min()))
    across = f"Layer of {found.other} ({EMBEDDINGS})" if found.other else f"Layer ({EMBEDDINGS})"
    chart = (
        alt.Chart(frame, title=f"{title} between layers")
        .mark_rect()
        .encode(
            x=alt.X("other:O", title=across, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("layer:O", title=f"Layer of {found.model}" if found.other else "Layer", sort="descending"),
            color=alt.Color("similarity:Q", title=[title, f"({low:.1g} to 1)"], scale=alt.Scale(domain=[low, 1])),
            tooltip=[
                alt.Tooltip("layer:O", title=f"layer of {found.model}" if found.other else "layer"),
                alt.Tooltip("other:O", title=f"layer of {found.other}" if found.other else "other layer"),
                alt.Tooltip("similarity:Q", format=".4f"),
            ],
        )
        .properties(height=_height(found))
    )
    first, last = found.matrix.shape[0] - 1, found.matrix.shape[1] - 1
    said = (
        f"The last layers, {first} and {last}, are alike to {found.matrix[-1, -1]:.2f}."
        if found.other
        else f"The first and the last layer are alike to {found.matrix[0, -1]:.2f}."
    )
    return Figure(chart, f"{title} between layers. {said}", frame)


def layer_change(found: LayerSimilarity) -> Figure:
    """Draw by how much each layer differs: from the same one of the other model, or from the one before it."""
    frame = found.by_layer() if found.other else found.by_step()
    title = (
        f"How far each layer is from that of {found.other}"
        if found.other
        else "How far each layer is from the one before"
    )
    base = alt.Chart(frame, title=title).encode(
        x=alt.X("layer:O", title=f"Layer ({EMBEDDINGS})" if found.other else "Layer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("change:Q", title=f"1 less {SIMILARITY[found.method].title}", scale=alt.Scale(domainMin=0, nice=True)),
        tooltip=["layer:O", alt.Tooltip("change:Q", format=".4f"), alt.Tooltip("similarity:Q", format=".4f")],
    )
    layers = base.mark_bar()
    if len(frame) <= FEW_LAYERS:
        layers = layers + base.mark_text(dy=-8).encode(text=alt.Text("change:Q", format=".3f"))
    return Figure(layers.properties(height=_height(found)), f"{title}. {_said(frame)}", frame)


def _height(found: LayerSimilarity) -> int:
    """Return a height with room for each layer, the same for both charts, since they stand side by side."""
    layers = len(found.matrix)
    return bar_height(max(layers, 5), each=34 if layers <= FEW_LAYERS else 18)


def _said(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "There is one layer alone."
    change, layers = frame["change"].to_numpy(), frame["layer"].to_numpy()
    most, least = int(change.argmax()), int(change.argmin())
    return (
        f"Layer {layers[most]} is the farthest with {change[most]:.3f}, layer {layers[least]} the nearest with "
        f"{change[least]:.3f}."
    )
