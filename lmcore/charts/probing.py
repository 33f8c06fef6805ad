"""Charts of what probes read off each layer, and of where layers or heads lie on a map."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from lmcore.analysis.attention.head_maps import HeadMap
from lmcore.analysis.probes.probing import ProbeResult
from lmcore.charts.figure import Figure
from lmcore.projection.methods import PROJECTION
from lmcore.types import SPLITS

LAYER = "Layer (0: embeddings)"


def probe_accuracy(
    frame: pd.DataFrame, best: int, *, title: str = "Accuracy of a linear probe by layer", majority: float | None = None
) -> Figure:
    """Draw how well a probe reads a property off each layer.

    Args:
        frame: ``layer``, ``split``, ``accuracy`` and, where known, ``low`` and ``high`` of the 95 % interval.
        best: the layer chosen on dev.
        title: of the chart.
        majority: the accuracy of always saying the most frequent class, as a dashed line.
    """
    order = list(SPLITS)
    base = alt.Chart(frame, title=title).encode(
        x=alt.X("layer:O", title=LAYER, axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("split:N", sort=order),
        color=alt.Color("split:N", title=None, sort=order, legend=alt.Legend(orient="top", symbolOpacity=1)),
    )
    lines = base.mark_line().encode(y=alt.Y("accuracy:Q", title="Accuracy (0 to 1)", scale=alt.Scale(zero=False)))
    points = base.mark_point(filled=True, size=60).encode(
        y="accuracy:Q",
        shape=alt.Shape("split:N", sort=order, legend=None),
        tooltip=["layer:O", "split:N", alt.Tooltip("accuracy:Q", format=".3f")],
    )
    layers = lines + points
    if {"low", "high"} <= set(frame.columns):
        layers = base.mark_rule(opacity=0.5).encode(y="low:Q", y2="high:Q") + layers
    at_best = frame[frame["layer"] == best]
    said = ", ".join(f"{s} {a:.3f}" for s, a in zip(at_best["split"], at_best["accuracy"], strict=True))
    chance = ""
    if majority is not None:
        layers = _level(majority) + layers
        chance = f" Always saying the most frequent class is right in {majority:.3f}."
    return Figure(layers.properties(height=320), f"Layer {best} does best on dev: {said}.{chance}", frame)


def selectivity(found: ProbeResult, split: str) -> Figure:
    """Draw by how much a probe does better on the property than on labels that it can only learn by heart.

    Args:
        found: with a control task.
        split: whose figures are drawn.
    """
    frame = found.accuracies[found.accuracies["split"] == split]
    frame = frame[["layer", "accuracy", "control", "selectivity", "selectivity_low", "selectivity_high"]]
    base = alt.Chart(frame, title=f"Selectivity by layer, on {split}").encode(
        x=alt.X("layer:O", title=LAYER, axis=alt.Axis(labelAngle=0)),
        tooltip=[
            "layer:O",
            *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("accuracy", "control", "selectivity")),
        ],
    )
    bars = base.mark_bar().encode(y=alt.Y("selectivity:Q", title="Selectivity (−1 to 1)", scale=alt.Scale(nice=True)))
    rules = base.mark_rule(strokeWidth=2).encode(y="selectivity_low:Q", y2="selectivity_high:Q")
    top = frame.iloc[int(frame["selectivity"].to_numpy().argmax())]
    said = (
        f"Layer {top['layer']:.0f} is the most selective with {top['selectivity']:.3f}: {top['accuracy']:.3f} on the property "
        f"and {top['control']:.3f} on the control task."
    )
    return Figure((bars + rules).properties(height=260), said, frame)


def compression(codes: pd.DataFrame) -> Figure:
    """Draw how many times shorter each layer makes the labels' code than the uniform one.

    Args:
        codes: the ``codes`` of a `ProbeResult`.
    """
    base = alt.Chart(codes, title="Compression of the labels by layer").encode(
        x=alt.X("layer:O", title=LAYER, axis=alt.Axis(labelAngle=0)),
        tooltip=[
            "layer:O",
            alt.Tooltip("bits:Q", format=",.0f"),
            alt.Tooltip("uniform_bits:Q", title="uniform bits", format=",.0f"),
            alt.Tooltip("compression:Q", format=".2f"),
        ],
    )
    points = base.mark_point(filled=True, size=60).encode(
        y=alt.Y("compression:Q", title="Compression (times)", scale=alt.Scale(zero=False))
    )
    chart = _level(1.0) + base.mark_rule(opacity=0.5).encode(y="low:Q", y2="high:Q") + base.mark_line().encode(
        y="compression:Q"
    )  # fmt: skip
    top = codes.iloc[int(codes["compression"].to_numpy().argmax())]
    said = (
        f"Layer {top['layer']:.0f} needs the fewest bits: {top['bits']:,.0f} of {top['uniform_bits']:,.0f}, "
        f"{top['compression']:.2f} times shorter."
    )
    return Figure((chart + points).properties(height=260), said, codes)


def head_map(found: HeadMap) -> Figure:
    """Draw where layers or heads lie; the colour is the layer."""
    frame = found.points
    heads = bool((frame["head"] > 0).any())
    kind = "heads" if heads else "layers"
    title = f"{PROJECTION[found.method].title} of the {kind} by their {found.what}"
    shares: Sequence[float] = found.explained_variance or ()
    base = alt.Chart(frame, title=title).encode(
        x=alt.X("x:Q", **_place("x", shares[:1])),
        y=alt.Y("y:Q", **_place("y", shares[1:2])),
        tooltip=["id:N", "layer:O", *(["head:O"] if heads else [])],
    )
    last = int(frame["layer"].max())
    points = base.mark_point(filled=True, size=90, opacity=0.9).encode(
        color=alt.Color(
            "layer:Q", title="Layer", scale=alt.Scale(domain=[1 - last, last]), legend=_layers_legend(last)
        ),
        **_stacks(frame),
    )
    chart = points if heads else points + base.mark_text(dy=-11).encode(text="layer:O")
    said = f"{title}: {len(frame)} points."
    if len(frame) > 1:
        apart = found.distances.copy()
        apart[range(len(apart)), range(len(apart))] = float("inf")
        first, second = divmod(int(apart.argmin()), len(apart))
        said += f" The two that are most alike are {frame['id'][first]} and {frame['id'][second]}."
    return Figure(chart.properties(height=440), said, frame)


def _layers_legend(last: int) -> alt.Legend:
    """Return a legend of the layers alone: the colours begin before them, since the first ones hardly show."""
    step = max(1, last // 6)
    return alt.Legend(values=list(range(1, last + 1, step)), type="symbol", format="d")


def _stacks(frame: pd.DataFrame) -> Mapping[str, alt.Shape]:
    if frame["stack"].nunique() < 2:
        return {}
    return {"shape": alt.Shape("stack:N", title="Stack", legend=alt.Legend(orient="top"))}


def _place(axis: str, share: Sequence[float]) -> dict[str, Any]:
    title = f"{axis} ({share[0]:.0%} of the variance)" if share else axis
    return {"title": title, "scale": alt.Scale(zero=False), "axis": alt.Axis(labels=bool(share))}


def _level(value: float) -> Any:
    return alt.Chart(pd.DataFrame({"level": [value]})).mark_rule(strokeDash=[4, 4], opacity=0.8).encode(y="level:Q")
