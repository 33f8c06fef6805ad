"""Over a data set: how sparse each layer is, which neurons tell labels apart, and the texts that a neuron answers to."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from lmcore.analysis.neurons.report import LOOKED_AT, NeuronConfig
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import labelled_texts, neuron_frame, neuron_report, part
from lmcore.analysis.sources import COMPONENTS
from lmcore.charts import neurons as charts
from lmcore.types import Report, count_of
from lmcore.ui import cache, linked, show, state
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    from lmcore.analysis.neurons.report import NeuronReport, NeuronTokens

ROWS = 1000


def draw(version: str) -> None:
    """Show what the neurons do over a data set that the viewer chooses."""
    datasets = [str(info.ref) for info in cache.datasets()]
    trained_on = str(cache.registry().get(version).facts.get("data", ""))
    left, right = show.side_by_side()
    with left:
        ref = state.pick("dataset", "Data set", datasets, default=trained_on)
    if ref is None:
        st.info("There is no data set to look at the neurons over.")
        return
    with right:
        component = linked.select(
            "Component", LOOKED_AT, "analyse_neuron_component", format_func=lambda name: COMPONENTS[name].title
        )
    st.caption(f"Reads {count_of(len(_rows(ref)[0]), 'text')} once.")
    found = stoppable(
        "Looking at the neurons",
        "analyse_neurons",
        lambda report: _report_of(cache.workspace_root(), version, ref, component, ROWS, report),
    )
    if found is None:
        return
    st.caption(
        f"{count_of(found.texts, 'text')} with {count_of(found.tokens, 'token')}, special ones left out. {found.rule} "
        "A dead one is active nowhere."
    )
    figures = [charts.layer_activity(found.layers), charts.layer_norms(found.layers)]
    for cell, figure, key in zip(show.side_by_side(), figures, ("analyse_sparsity", "analyse_lengths"), strict=True):
        with cell:
            show.figure(figure, key)
    arguments = {**_asked(ref), "settings": asdict(found.config)}
    report_button("neurons", version, neuron_frame(found), arguments, figures)
    _show_selective(found)
    _show_neuron(version, ref, found)


def _show_selective(found: "NeuronReport") -> None:
    st.subheader("Selective neurons")
    labels = found.selective["label"].unique().tolist()
    if not labels:
        st.info("The data set has no two labels with at least four texts, so that no neuron can tell them apart.")
        return
    label = st.selectbox("Label", labels, key="analyse_neuron_label", bind="query-params")
    st.caption(
        "Chosen by their effect on one half of the texts and measured on the other; p is adjusted for all neurons that were "
        f"measured (Holm). A text's value is the {'mean' if found.pooling == 'mean' else 'largest'} over its tokens."
    )
    show.figure(charts.selective_neurons(found.selective, str(label)), f"analyse_selective_{label}")


def _show_neuron(version: str, ref: str, found: "NeuronReport") -> None:
    st.subheader("What a neuron answers to")
    layer, neuron = _first(found)
    left, right = show.side_by_side(narrowest=180)
    chosen_layer = left.number_input(
        "Layer", found.numbers[0], found.numbers[-1], layer, key="analyse_neuron_layer", bind="query-params"
    )
    width = found.mean.shape[1]
    chosen = right.number_input(
        f"Neuron (0 to {width - 1})", 0, width - 1, neuron, key=f"analyse_neuron_{width}", bind="query-params"
    )
    layer, neuron = int(chosen_layer), int(chosen)
    place = found.numbers.index(layer)
    st.caption(
        f"Active at {found.active[place, neuron]:.1%} of the tokens and in {found.active_texts[place, neuron]:.1%} of the "
        f"texts; mean {found.mean[place, neuron]:+.3f}, largest {found.largest[place, neuron]:+.3f}."
    )
    if found.dead[place, neuron]:
        st.info("This neuron is dead: it is active at no token of these texts.")
    top = [row for row, _ in found.top_texts(layer, neuron)]
    if not top:
        return
    number = "the text" if len(top) == 1 else f"the {len(top)} texts"
    st.caption(f"Reads {number} that it answers to most once more.")
    asked = cache.workspace_root(), version, ref, found.config.component, layer, neuron, tuple(top), ROWS
    items = stoppable("Reading the neuron", "analyse_neuron_texts", lambda report: _tokens_of(*asked, report))
    if items is None:
        return
    largest = max((float(np.abs(item.values[~item.special]).max(initial=0.0)) for item in items), default=0.0)
    ids = _rows(ref)[2]
    for row, item in zip(top, items, strict=True):
        plain = ~item.special
        tokens = [token for token, keep in zip(item.tokens, plain, strict=True) if keep]
        figure = charts.neuron_text(
            tokens,
            item.values[plain],
            f"Row {ids[row] + 1}: {item.peak:+.3f}",
            signed=found.signed,
            largest=largest or 1.0,
        )
        show.figure(figure, f"analyse_neuron_text_{row}")


def _first(found: "NeuronReport") -> tuple[int, int]:
    """Return the neuron that is shown first: the most selective one, else the one with the largest value."""
    if len(found.selective):
        best = found.selective.iloc[int((found.selective["auroc"] - 0.5).abs().to_numpy().argmax())]
        return int(best["layer"]), int(best["neuron"])
    place, neuron = np.unravel_index(int(found.largest.argmax()), found.largest.shape)
    return found.numbers[int(place)], int(neuron)


def _asked(ref: str) -> dict[str, Any]:
    """Return which rows are looked at, as a recipe names them: those of test where the data set is split."""
    data = cache.dataset(ref)
    return {"data": named_data(data), "split": "test" if data.is_split else "", "rows": ROWS}


def _rows(ref: str) -> tuple[list[str], list[str] | None, list[int]]:
    """Return the texts that are looked at, their labels where each has one, and their ids."""
    return labelled_texts(part(cache.dataset(ref), _asked(ref)["split"]), ROWS)


@st.cache_data(show_spinner=False)
def _report_of(root: str, version: str, ref: str, component: str, rows: int, _report: Report) -> "NeuronReport":
    settings = asdict(NeuronConfig(component=component))
    with cache.pool().lease(version) as loaded:
        return neuron_report(loaded, cache.stored(_report), **_asked(ref), settings=settings)


@st.cache_data(show_spinner=False)
def _tokens_of(
    root: str,
    version: str,
    ref: str,
    component: str,
    layer: int,
    neuron: int,
    top: tuple[int, ...],
    rows: int,
    _report: Report,
) -> "list[NeuronTokens]":
    from lmcore.analysis import neuron_tokens

    texts, _, _ = _rows(ref)
    with cache.pool().lease(version) as loaded:
        chosen = [texts[row] for row in top]
        return neuron_tokens(loaded, chosen, layer, neuron, component=component, batch_size=1, report=_report)
