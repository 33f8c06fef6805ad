"""Charts of causal tests: patching, ablation, steering."""

import altair as alt
import pandas as pd

from lmcore.analysis.causal.ablation import Ablation
from lmcore.analysis.causal.patching import Patching
from lmcore.analysis.causal.steering import Steering
from lmcore.charts.figure import Figure, bar_height, text_axis
from lmcore.charts.lens import signed_map, visible

MAX_TOKENS = 64
_STACKS = {"layers": "", "encoder": " in the encoder", "decoder": " in the decoder"}


def patch_map(found: Patching, stack: str = "") -> Figure:
    """Draw how far the output follows each patch: by layer and token, or by layer and head.

    Args:
        found: what patching gave.
        stack: ``encoder`` or ``decoder``; the last one where empty.
    """
    stacks = list(dict.fromkeys(found.cells["stack"]))
    own = found.cells[found.cells["stack"] == (stack or stacks[-1])].copy()
    by_head, whole = bool((own["head"] > 0).any()), bool((own["position"] < 0).all())
    title = f"Effect of patching{_STACKS[str(own['stack'].iloc[0])]}"
    unit = "Effect (1: as clean)"
    rows = own["layer"].nunique()
    if by_head:
        return signed_map(own, "head:O", "Head", "effect", title=title, unit=unit, height=rows)
    if whole:
        own["tokens"] = "all"
        return signed_map(own, "tokens:O", "Tokens", "effect", title=title, unit=unit, height=rows)
    first = int(own["position"].min())
    shown = own[own["position"] < first + MAX_TOKENS].copy()
    if len(shown) < len(own):
        title = f"{title} (first {MAX_TOKENS} of {own['position'].nunique()} tokens)"
    shown["token"] = [
        _pair(*row) for row in zip(shown["position"], shown["clean_token"], shown["corrupted_token"], strict=True)
    ]
    return signed_map(shown, "token:N", "Token", "effect", title=title, unit=unit, height=rows)


def _pair(position: int, clean: str, corrupted: str) -> str:
    own = visible(clean)
    return f"{position} {own}" if clean == corrupted else f"{position} {own}/{visible(corrupted)}"


def ablation_bars(found: Ablation, number: int = 20) -> Figure:
    """Draw the parts without which the target's value moves most, and which way."""
    frame = found.strongest(number).copy()
    frame["name"] = [_part_name(found.part, row) for _, row in frame.iterrows()]
    frame["moves"] = ["down" if change < 0 else "up" for change in frame["change"]]
    base = alt.Chart(frame, title="What happens without each part").encode(
        y=alt.Y("name:N", sort=None, axis=text_axis("Taken out"))
    )
    bars = base.mark_bar().encode(
        x=alt.X("change:Q", title="Change of the target's value"),
        color=alt.Color("moves:N", title="Moves", sort=["down", "up"], legend=alt.Legend(orient="top")),
        tooltip=["name:N", alt.Tooltip("change:Q", format="+.3f"), alt.Tooltip("spread:Q", format=".3f")],
    )
    frame["low"], frame["high"] = frame["change"] - frame["spread"], frame["change"] + frame["spread"]
    ends = base.mark_rule().encode(x="low:Q", x2="high:Q")
    chart = (bars + ends).properties(height=bar_height(len(frame), legend=2))
    listed = ", ".join(
        f"{name} {change:+.2f}" for name, change in zip(frame["name"][:3], frame["change"][:3], strict=True)
    )
    return Figure(chart, f"What moves the value most when it is taken out: {listed}.", frame)


def _part_name(part: str, row: pd.Series) -> str:
    stack = _STACKS[str(row["stack"])]
    if part == "tokens":
        return f"{row['position'] + 1}: {visible(str(row['token']))}{stack}"
    if row["head"]:
        return f"head {row['head']} of layer {row['layer']}{stack}"
    name = {"mlp": "MLP", "cross_attention": "cross-attention", "layers": "all"}.get(part, part)
    return f"{name} of layer {row['layer']}{stack}"


def steering_curve(found: Steering) -> Figure:
    """Draw the target's value by the strength of the direction."""
    chart = (
        alt.Chart(found.curve, title="The target's value by strength")
        .mark_line(point=True)
        .encode(
            x=alt.X("strength:Q", title="Strength (lengths of a typical vector at that layer)"),
            y=alt.Y("value:Q", title="Value of the target", scale=alt.Scale(zero=False)),
            tooltip=[alt.Tooltip("strength:Q", format="+.2f"), alt.Tooltip("value:Q", format="+.3f")],
        )
        .properties(height=260)
    )
    before, after = found.value(0.0), found.value(found.strength)
    return Figure(
        chart, f"The value goes from {before:.2f} to {after:.2f} at a strength of {found.strength:g}.", found.curve
    )
