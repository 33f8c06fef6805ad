"""Which layers or heads are alike: a part of the view Probing."""

from typing import TYPE_CHECKING, Any, Literal, cast

import streamlit as st

from lmcore.charts import probing as charts
from lmcore.projection.methods import PROJECTION
from lmcore.types import Report
from lmcore.ui import cache, show
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    from lmcore.analysis.head_maps import HeadMap

MAP_TEXTS = 40


def draw_map(version: str, ref: str) -> None:
    """Ask what is compared, lay out the map, and show it."""
    left, right = show.side_by_side()
    with left:
        what = str(_switch("What is compared", ("parameters", "attention"), "probing_what"))
        unit = str(_switch("Of each", ("head", "layer"), "probing_unit"))
    with right:
        method = method_choice("Projection", PROJECTION, "probing_projection", in_link=True)
        with st.expander("Settings", icon=":material/tune:"):
            known = [option for option in PROJECTION[method].options if option.name != "dimensions"]
            options = option_fields(known, f"probing_map_{method}", in_link=True)
            texts = st.number_input(
                "Texts for attention", 1, 1000, MAP_TEXTS, key="probing_texts", bind="query-params",
                help="Test rows over which the heads' attention is compared.",
            )  # fmt: skip
    said = f"reads {int(texts)} texts once" if what == "attention" else "reads no text"
    st.caption(f"Compares every {unit} with every other by its {what}; {said}.")
    root, asked = cache.workspace_root(), tuple(sorted(options.items()))
    data = ref if what == "attention" else ""
    found = stoppable(
        "Laying out the map",
        "probing_map",
        lambda report: _map(root, version, data, what, unit, int(texts), method, asked, report),
    )
    if found is not None:
        show.figure(charts.head_map(found), "probing_map")
        st.caption("Each axis is a direction of the whole vectors for PCA alone; elsewhere only closeness counts.")


def _switch(label: str, options: tuple[str, ...], key: str) -> Any:
    return st.segmented_control(label, options, default=options[0], key=key, required=True, bind="query-params")


@st.cache_data(show_spinner=False)
def _map(
    root: str,
    version: str,
    ref: str,
    what: str,
    unit: str,
    texts: int,
    method: str,
    options: tuple[tuple[str, Any], ...],
    _report: Report,
) -> "HeadMap":
    from lmcore.analysis import map_heads
    from lmcore.tasks import load_task

    read: list[str] = []
    if ref:
        data = cache.dataset(ref).part("test")
        read = [str(text) for text in load_task(data.task).texts(data.frame).head(texts)]
    with cache.pool().lease(version) as loaded:
        return map_heads(
            loaded,
            what=cast(Literal["parameters", "attention"], what),
            unit=cast(Literal["head", "layer"], unit),
            texts=read,
            method=method,
            options=dict(options),
            report=_report,
        )
