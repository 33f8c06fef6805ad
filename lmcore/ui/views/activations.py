"""How large what a component gives is at each layer and token."""

import numpy as np
import pandas as pd
import streamlit as st

from lmcore.analysis.sources import COMPONENTS, STATES
from lmcore.charts import analysis as charts
from lmcore.types import Report
from lmcore.ui import cache, linked, show
from lmcore.ui.progress import PageReport
from lmcore.ui.share import report_button
from lmcore.ui.stretch import stretch_choice, stretch_name


def draw(version: str, text: str) -> None:
    """Show how large each token's vector is at each layer, of a component that the viewer chooses."""
    stacks = _stacks(cache.workspace_root(), version)
    left, right = show.side_by_side()
    names = list(stacks)
    stack = names[0]
    with right:
        if len(names) > 1:
            stack = st.segmented_control(
                "Side", names, default=names[0], key="analyse_stack", required=True, bind="query-params"
            )
    with left:
        component = linked.select(
            "Component", stacks[str(stack)], "analyse_component", format_func=lambda name: COMPONENTS[name].title
        )
    with PageReport("Reading the activations") as report:
        found = _norms(cache.workspace_root(), version, text, component, str(stack), report)
    tokens, norms, first, frame = found
    st.caption(
        f"{COMPONENTS[component].summary} The length (L2 norm) of each token's vector; colours compare the tokens of "
        "one layer."
    )
    drawn = stretch_choice(len(tokens), charts.MAX_TOKENS, "analyse_activations_from")
    figure = charts.layer_by_token(
        norms[:, drawn],
        tokens[drawn],
        title="Size of the activations by layer and token" + stretch_name(drawn, len(tokens)),
        unit="Share of the layer's largest",
        first=first,
    )
    show.figure(figure, "analyse_norms")
    arguments = {"text": text, "component": component, "stack": str(stack)}
    report_button("activations", version, frame, arguments, [figure])


@st.cache_data(show_spinner=False)
def _stacks(root: str, version: str) -> dict[str, list[str]]:
    """Return the components of each stack; the states alone where a model's parts are not known."""
    from lmcore.errors import OptionError
    from lmcore.models.components import components

    with cache.pool().lease(version) as loaded:
        try:
            parts = components(loaded.model)
        except OptionError:
            return {"layers": [STATES]}
    stacks = dict.fromkeys(part.stack for part in parts)
    return {
        stack: [STATES, *(name for name in COMPONENTS if any(p.stack == stack and p.kind == name for p in parts))]
        for stack in stacks
    }


@st.cache_data(show_spinner=False)
def _norms(
    root: str, version: str, text: str, component: str, stack: str, _report: Report
) -> tuple[list[str], np.ndarray, int, pd.DataFrame]:
    from lmcore.analysis import extract_activations

    with cache.pool().lease(version) as loaded:
        found = extract_activations(loaded, [text], component=component, stack=stack, report=_report)
    return list(found.tokens(0)), found.norms(0), found.first_layer, found.to_frame(0)
