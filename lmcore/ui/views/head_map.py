"""Which layers or heads are alike: a part of the view Probing."""

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import head_map
from lmcore.charts import probing as charts
from lmcore.projection.methods import PROJECTION
from lmcore.types import Report, count_of
from lmcore.ui import cache, show
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    from lmcore.analysis.attention.head_maps import HeadMap

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
    said = f"reads {count_of(int(texts), 'text')} once" if what == "attention" else "reads no text"
    st.caption(f"Compares every {unit} with every other by its {what}; {said}.")
    root = cache.workspace_root()
    data = named_data(cache.dataset(ref)) if what == "attention" else None
    arguments = {"what": what, "unit": unit, "data": data, "texts": int(texts), "method": method, "options": options}
    found = stoppable(
        "Laying out the map", "probing_map", lambda report: _map(root, version, json.dumps(arguments), report)
    )
    if found is not None:
        figure = charts.head_map(found)
        show.figure(figure, "probing_map")
        st.caption("Each axis is a direction of the whole vectors for PCA alone; elsewhere only closeness counts.")
        report_button("head_map", version, found, arguments, [figure])


def _switch(label: str, options: tuple[str, ...], key: str) -> Any:
    return st.segmented_control(label, options, default=options[0], key=key, required=True, bind="query-params")


@st.cache_data(show_spinner=False)
def _map(root: str, version: str, arguments: str, _report: Report) -> "HeadMap":
    with cache.pool().lease(version) as loaded:
        return head_map(loaded, cache.stored(_report), **json.loads(arguments))
