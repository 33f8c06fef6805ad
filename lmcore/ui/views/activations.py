"""How large each token's vector is at each layer."""

import numpy as np
import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.ui import cache, show

ENTRIES = 32


def draw(version: str, text: str) -> None:
    """Show how large each token's vector is at each layer."""
    tokens, norms = _activation_norms(cache.workspace_root(), version, text)
    st.caption("The length (L2 norm) of each token's vector; colours compare the tokens of one layer.")
    figure = charts.layer_by_token(
        norms, tokens, title="Size of the activations by layer and token", unit="Share of the layer's largest"
    )
    show.figure(figure, "analyse_norms")


@st.cache_resource(max_entries=ENTRIES, show_spinner="Reading the activations …")
def _activation_norms(root: str, version: str, text: str) -> tuple[list[str], np.ndarray]:
    from lmcore.analysis import extract_activations

    with cache.pool().lease(version) as loaded:
        found = extract_activations(loaded, [text])
    return list(found.tokens(0)), found.norms(0)
