"""Over a data set: how well each layer can be read by a linear probe."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.types import Report
from lmcore.ui import cache, show, state
from lmcore.ui.progress import PageReport

if TYPE_CHECKING:
    from lmcore.analysis.probing import ProbeResult


def draw(version: str) -> None:
    """Show how well each layer is read over a data set that the viewer chooses."""
    datasets = [str(info.ref) for info in cache.datasets() if info.is_split]
    trained_on = str(cache.registry().get(version).facts.get("data", ""))
    ref = state.pick("dataset", "Data set", datasets, default=trained_on)
    if ref is None:
        st.info("There is no split data set to probe the layers on.")
        return
    probe = _probe(version, ref)
    show.figure(charts.probe_accuracy(probe.to_frame(), probe.best_layer), "analyse_probe")
    st.caption("Logistic regression on the frozen mean token vectors; the best layer is chosen on dev.")


def _probe(version: str, ref: str) -> "ProbeResult":
    with PageReport("Probing the layers") as report:
        return _probe_of(cache.workspace_root(), version, ref, report)


@st.cache_resource(max_entries=8, show_spinner=False)
def _probe_of(root: str, version: str, ref: str, _report: Report) -> "ProbeResult":
    from lmcore.analysis import probe_layers

    data = cache.dataset(ref)
    frames = {split: data.part(split).frame for split in ("train", "dev", "test")}
    with cache.pool().lease(version) as loaded:
        return probe_layers(loaded, frames["train"], frames["dev"], frames["test"], seed=0, report=_report)
