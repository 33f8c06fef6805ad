"""Charts of the neurons of a model over a data set."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.charts.token_colours import coloured_tokens

_NAMES = {"sparsity": "not active (mean share of tokens)", "dead_share": "dead (share of neurons)"}


def layer_activity(layers: pd.DataFrame) -> Figure:
    """Draw for each layer the share of dead neurons, and at how many tokens a neuron is not active.

    Args:
        layers: ``layer``, ``sparsity``, ``dead``, ``dead_share``, as `NeuronReport.layers`.
    """
    long = layers.melt(["layer", "dead"], list(_NAMES), var_name="figure", value_name="share")
    long["figure"] = long["figure"].map(_NAMES)
    title = "Sparsity and dead neurons by layer"
    base = alt.Chart(long, title=title).encode(
        x=alt.X("layer:O", title="Layer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share:Q", title="Share (0 to 1)", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("figure:N", title=None, sort=list(_NAMES.values()), legend=alt.Legend(orient="top", labelLimit=260)),
        tooltip=["layer:O", "figure:N", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("dead:Q", title="dead neurons")],
    )  # fmt: skip
    points = base.mark_point(filled=True, size=70).encode(
        shape=alt.Shape("figure:N", sort=list(_NAMES.values()), legend=None)
    )
    said = f"{int(layers['dead'].sum())} neurons are dead; the mean sparsity is {layers['sparsity'].mean():.1%}."
    return Figure((base.mark_line() + points).properties(height=280), f"{title}. {said}", layers)


def layer_norms(layers: pd.DataFrame) -> Figure:
    """Draw the mean length of a token's vector in each layer, and how few neurons make it up (Hoyer's sparsity)."""
    title = "Length of the vectors by layer"
    chart = (
        alt.Chart(layers, title=title)
        .mark_bar()
        .encode(
            x=alt.X("layer:O", title="Layer", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("norm:Q", title="Mean L2 norm of a token"),
            tooltip=[
                "layer:O",
                alt.Tooltip("norm:Q", format=".3f"),
                alt.Tooltip("hoyer:Q", title="Hoyer sparsity", format=".3f"),
            ],
        )
        .properties(height=280)
    )  # fmt: skip
    top = layers.iloc[int(layers["norm"].to_numpy().argmax())]
    return Figure(chart, f"{title}. The longest are in layer {top['layer']:.0f}: {top['norm']:.2f}.", layers)


def selective_neurons(selective: pd.DataFrame, label: str) -> Figure:
    """Draw how well single neurons tell one label from all others, on texts that they were not chosen on.

    Args:
        selective: as `NeuronReport.selective`.
        label: which one.
    """
    own = selective[selective["label"] == label].copy()
    own["name"] = [f"layer {layer}, neuron {neuron}" for layer, neuron in zip(own["layer"], own["neuron"], strict=True)]
    own["verdict"] = np.where(own["p_adjusted"] < 0.05, "selective", "may be chance")
    title = f"Neurons that tell {label} from the rest"
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(own).encode(y=alt.Y("name:N", sort=None, axis=text_axis("Neuron")))
    order = ["selective", "may be chance"]
    colour = alt.Color("verdict:N", title=None, sort=order, legend=alt.Legend(orient="top"))
    whiskers = base.mark_rule().encode(
        x=alt.X("low:Q", scale=scale, title="AUROC (0 to 1), with 95 % interval"), x2="high:Q", color=colour
    )
    points = base.mark_point(filled=True, size=70).encode(
        x=alt.X("auroc:Q", scale=scale),
        color=colour,
        shape=alt.Shape("verdict:N", sort=order, legend=None),
        tooltip=["name:N", alt.Tooltip("auroc:Q", format=".3f"), alt.Tooltip("effect:Q", title="Cohen's d", format="+.2f"),
                 alt.Tooltip("p_adjusted:Q", title="p, adjusted", format=".2g"), "texts:Q"],
    )  # fmt: skip
    half = alt.Chart(pd.DataFrame({"x": [0.5]})).mark_rule(strokeDash=[4, 4], opacity=0.6).encode(x="x:Q")
    chart = (half + whiskers + points).properties(title=title, height=bar_height(len(own), legend=1))
    if own.empty:
        return Figure(chart, f"{title}. There are none.", own)
    best = own.iloc[0]
    said = f"The best is {best['name']} with an AUROC of {best['auroc']:.2f}."
    return Figure(chart, f"{title}. {said}", own.drop(columns=["name", "verdict"]))


def neuron_text(tokens: Sequence[str], values: np.ndarray, title: str, *, signed: bool, largest: float) -> Figure:
    """Draw a text with each token's ground coloured by a neuron's value there; all texts of a neuron share a scale.

    Args:
        tokens: what each token shows.
        values: the neuron's value at each, shape (tokens,).
        title: of the chart.
        signed: whether values have both signs.
        largest: the largest size of any value that is drawn beside it.
    """
    ends = (-largest, largest) if signed else (0.0, largest)
    return coloured_tokens(tokens, values.tolist(), title=title, unit="Activation", signed=signed, domain=ends)
