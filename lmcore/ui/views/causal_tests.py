"""What changes the output when it is changed: patching between two texts, ablation, steering."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.causal.methods import ABLATED, ABLATIONS, PATCHING
from lmcore.analysis.causal.steering import STRENGTHS
from lmcore.analysis.recipes import named_data
from lmcore.charts import causal as charts
from lmcore.charts.figure import Figure
from lmcore.errors import LmError
from lmcore.types import Input, Report, Target
from lmcore.ui import cache, linked, show
from lmcore.ui.analyse import joined
from lmcore.ui.forms import method_choice
from lmcore.ui.share import report_button
from lmcore.ui.stopping import begun
from lmcore.ui.views.explained import (
    frozen,
    other_text,
    part_names,
    said,
    target_choice,
    thawed,
)

if TYPE_CHECKING:
    from lmcore.analysis.causal.ablation import Ablation
    from lmcore.analysis.causal.patching import Patching
    from lmcore.analysis.causal.steering import Steering

_TESTS = {"patching": "Patching", "ablation": "Ablation", "steering": "Steering"}
_DIRECTIONS = {
    "denoise": "Put the clean text's parts into the corrupted run: what is enough?",
    "noise": "Put the corrupted text's parts into the clean run: what is needed?",
}
REFERENCE_TEXTS = 32
SEED = 0
_NEEDS: dict[str, str] = {"layers": "mlp", "tokens": "embedding"}
Text = str | tuple[tuple[str, str], ...]


def draw(version: str, text: Input) -> None:
    """Offer the three tests and show what they find."""
    test = linked.segments("Test", list(_TESTS), "analyse_test", format_func=_TESTS.__getitem__)
    target, output = target_choice(version, text, "causal")
    if test == "patching":
        _patching(version, text, target, output)
    elif test == "ablation":
        _ablation(version, text, target, output)
    else:
        _steering(version, text, target, output)


def _patching(version: str, text: Input, target: Target, output: str) -> None:
    from lmcore.analysis import patch_runs

    left, right = show.side_by_side()
    with left:
        corrupted = other_text(version, text, "analyse_corrupted", "Corrupted text, with as many tokens", as_long=True)
    with right:
        kinds = [name for name in PATCHING if name in part_names(version)]
        component = method_choice("What to patch", PATCHING, "analyse_patch", names=kinds, in_link=True)
        direction = linked.select("Direction", list(_DIRECTIONS), "analyse_direction", format_func=str.capitalize)
        st.caption(_DIRECTIONS[direction])
        whole = st.checkbox("All tokens of a layer at once", key="analyse_whole", bind="query-params")
    if corrupted == text:
        st.info("Change a word of the corrupted text, such as a name, that makes the model say something else.")
        return
    with cache.pool().lease(version) as loaded:
        runs = patch_runs(loaded, text, component=component, output=output, whole=whole)
    wanted = (version, frozen(text), frozen(corrupted), target, output, component, direction, whole)
    found = begun(
        "Patch", "Patching", "patch", f"The model runs {runs:,} times.", wanted=wanted,
        work=lambda report: _patched(cache.workspace_root(), *wanted, _report=report),
    )  # fmt: skip
    if found is not None:
        asked = {"text": text, "corrupted": corrupted, "target": asdict(target), "output": output}
        arguments = {**asked, "component": component, "direction": direction, "whole": whole}
        report_button("patching", version, found, arguments, _show_patching(found))


def _show_patching(found: "Patching") -> list[Figure]:
    left, right = show.side_by_side(narrowest=200)
    left.metric("Value for the clean text", f"{found.clean_value:+.3f}", border=True)
    right.metric("Value for the corrupted text", f"{found.corrupted_value:+.3f}", border=True)
    if found.weak:
        st.warning("Both texts have about the same value: effects are shares of a difference that hardly is one.")
    st.caption(
        "An effect of 1 is the output of the clean text, 0 that of the corrupted one; below 0 and above 1 go beyond."
    )
    stacks = list(dict.fromkeys(found.cells["stack"]))
    figures = [charts.patch_map(found, stack) for stack in stacks]
    for stack, figure in zip(stacks, figures, strict=True):
        show.figure(figure, f"analyse_patch_{stack}")
    return figures


def _ablation(version: str, text: Input, target: Target, output: str) -> None:
    left, right = show.side_by_side()
    with left:
        kinds = [name for name in ABLATED if _NEEDS.get(name, name) in part_names(version)]
        part = method_choice("What to take out", ABLATED, "analyse_ablated", names=kinds, in_link=True)
    with right:
        method = method_choice("What to put there", ABLATIONS, "analyse_ablation", in_link=True)
        reference, draws = "", 1
        if method != "zero":
            sets = ["", *(str(info.ref) for info in cache.datasets())]
            reference = linked.select(
                "Reference texts", sets, "analyse_reference", format_func=lambda ref: ref or "This text itself"
            )
        if method == "resample":
            draws = int(st.number_input("Draws", 1, 100, 5, key="analyse_draws", bind="query-params"))
    wanted = (version, frozen(text), target, output, part, method, reference, draws)
    times = "once" if draws == 1 else f"{draws} times"
    more = f", and over {REFERENCE_TEXTS} texts of {reference}" if reference else ""
    cost = f"The model runs {times} for each of the {ABLATED[part].title.lower()}{more}."
    found = begun(
        "Take out", "Taking parts out", "ablate", cost, wanted=wanted,
        work=lambda report: _ablated(cache.workspace_root(), *wanted, _report=report),
    )  # fmt: skip
    if found is not None:
        st.metric("Value with everything in place", f"{found.value:+.3f}", border=True)
        figure = charts.ablation_bars(found)
        show.figure(figure, "analyse_ablation_bars")
        arguments = {
            "text": text, "target": asdict(target), "output": output, "part": part, "method": method,
            "data": named_data(cache.dataset(reference)) if reference else None, "rows": REFERENCE_TEXTS,
            "draws": draws, "seed": SEED,
        }  # fmt: skip
        report_button("ablation", version, found, arguments, [figure])


def _steering(version: str, text: Input, target: Target, output: str) -> None:
    left, right = show.side_by_side()
    with left:
        starts = _opposites(cache.workspace_root(), version, frozen(text), target.label)
        towards = linked.text("Texts to steer towards, one a line", "analyse_towards", starts[0], height=110)
        away = linked.text("Texts to steer away from, one a line", "analyse_away", starts[1], height=110)
    with right:
        layers = _layers(cache.workspace_root(), version)
        layer = st.slider(
            "Layer (0: embeddings)", 0, layers, (layers + 1) // 2, key=f"steer_layer_{layers}", bind="query-params"
        )
        strength = st.slider(
            "Strength", -4.0, 4.0, 0.5, 0.25, key="analyse_strength", bind="query-params",
            help="In lengths of a typical vector at that layer; below 0 the other way.",
        )  # fmt: skip
        reads = st.selectbox("A text counts by its", ["mean", "last"], key="analyse_reads", bind="query-params")
    first, second = _lines(towards), _lines(away)
    if not (first and second):
        st.info("Give at least one text in each set: the direction goes from the mean of one to that of the other.")
        return
    wanted = (version, frozen(text), target, output, first, second, layer, strength, str(reads))
    cost = f"The model reads {len(first) + len(second)} texts, predicts twice, and runs once for each strength."
    found = begun(
        "Steer", "Steering", "steer", cost, wanted=wanted,
        work=lambda report: _steered(cache.workspace_root(), *wanted, _report=report),
    )  # fmt: skip
    if found is not None:
        arguments = {
            "text": text, "target": asdict(target), "output": output, "towards": list(first), "away": list(second),
            "layer": layer, "strength": strength, "strengths": list(STRENGTHS), "reads": str(reads),
        }  # fmt: skip
        report_button("steering", version, found, arguments, [_show_steering(found)])


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _show_steering(found: "Steering") -> Figure:
    left, right = show.side_by_side()
    for place, title, prediction, strength in (
        (left, "Before", found.before, 0.0),
        (right, "After", found.after, found.strength),
    ):
        with place.container(border=True):
            st.subheader(title, anchor=False)
            st.markdown(said(prediction))
            st.caption(f"Value of the target: {found.value(strength):+.3f}")
    figure = charts.steering_curve(found)
    show.figure(figure, "analyse_steering")
    way = found.direction
    st.caption(
        f"The two sets' means are {way.distance:.2f} lengths of a typical vector apart at layer {way.layer}; the direction "
        f"puts {way.separation:.0%} of their pairs in the right order."
    )
    return figure


@st.cache_data(show_spinner=False)
def _opposites(root: str, version: str, text: Text, label: str) -> tuple[str, str]:
    """Return two sets of texts to begin with, one a line: rows of the version's own data where these have classes."""
    from lmcore.analysis.causal.second_texts import opposite_texts

    data = str(cache.registry().get(version).facts.get("data", "")).partition(":")[0]
    try:
        rows = cache.dataset(data) if data else None
    except LmError:
        rows = None
    towards, away = opposite_texts(joined(thawed(text)), rows, label)
    return "\n".join(towards), "\n".join(away)


@st.cache_data(show_spinner=False)
def _layers(root: str, version: str) -> int:
    with cache.pool().lease(version) as loaded:
        return loaded.layers


@st.cache_data(show_spinner=False)
def _patched(
    root: str, version: str, text: Text, corrupted: Text, target: Target, output: str, component: str, direction: Any,
    whole: bool, *, _report: Report,
) -> "Patching":  # fmt: skip
    from lmcore.analysis import patch_activations

    with cache.pool().lease(version) as loaded:
        return patch_activations(
            loaded, thawed(text), thawed(corrupted), target, component=component, direction=direction,
            output=output or None, whole=whole, report=_report,
        )  # fmt: skip


@st.cache_data(show_spinner=False)
def _ablated(
    root: str, version: str, text: Text, target: Target, output: str, part: str, method: str, reference: str, draws: int,
    *, _report: Report,
) -> "Ablation":  # fmt: skip
    from lmcore.analysis import ablate
    from lmcore.analysis.lens.kept import lens_texts

    texts: list[Input] | None = None
    with cache.pool().lease(version) as loaded:
        if reference:
            texts = lens_texts(loaded, cache.dataset(reference))[:REFERENCE_TEXTS]
        return ablate(
            loaded, thawed(text), target, part=part, method=method, reference=texts, output=output or None, draws=draws,
            seed=SEED, report=_report,
        )  # fmt: skip


@st.cache_data(show_spinner=False)
def _steered(
    root: str, version: str, text: Text, target: Target, output: str, towards: tuple[str, ...], away: tuple[str, ...],
    layer: int, strength: float, reads: Any, *, _report: Report,
) -> "Steering":  # fmt: skip
    from lmcore.analysis import find_direction, steer

    with cache.pool().lease(version) as loaded:
        direction = find_direction(loaded, towards, away, layer=layer, reads=reads)
        return steer(
            loaded, thawed(text), direction, strength=strength, target=target, output=output or None,
            strengths=STRENGTHS, report=_report,
        )  # fmt: skip
