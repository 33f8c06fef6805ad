"""Over a data set: how alike the layers are."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.types import Report
from lmcore.ui import cache, show, state
from lmcore.ui.progress import PageReport

if TYPE_CHECKING:
    from lmcore.analysis.similarity import LayerSimilarity

LAYER_ROWS = 1000


def draw(version: str) -> None:
    """Show how alike they are over a data set that the viewer chooses."""
    datasets = [str(info.ref) for info in cache.datasets() if info.is_split]
    trained_on = str(cache.registry().get(version).facts.get("data", ""))
    ref = state.pick("dataset", "Data set", datasets, default=trained_on)
    if ref is None:
        st.info("There is no split data set to compare the layers over.")
        return
    similarity = _similarity(version, ref)
    show.figure(charts.layer_similarity(similarity.matrix), "analyse_cka")
    st.caption(f"Linear CKA of the mean token vectors of {similarity.rows} test texts: 1 is alike up to rotation.")


def _similarity(version: str, ref: str) -> "LayerSimilarity":
    with PageReport("Comparing the layers") as report:
        return _similarity_of(cache.workspace_root(), version, ref, LAYER_ROWS, report)


@st.cache_resource(max_entries=8, show_spinner=False)
def _similarity_of(root: str, version: str, ref: str, rows: int, _report: Report) -> "LayerSimilarity":
    from lmcore.analysis import layer_similarity

    texts = cache.dataset(ref).part("test").frame["text"].head(rows).tolist()
    with cache.pool().lease(version) as loaded:
        return layer_similarity(loaded, texts, report=_report)
