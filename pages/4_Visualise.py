"""The map of what a model makes of a data set's texts."""

import streamlit as st

from lmcore.charts import projection as charts
from lmcore.charts import training as training_charts
from lmcore.projection.methods import OUTLIERS, PROJECTION
from lmcore.projection.representations import MapConfig
from lmcore.ui import cache, linked, show, state
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import version_label
from lmcore.ui.visualise import get_map, label_summary, show_selection, split_choice

open_page("Visualise")


def controls() -> MapConfig | None:
    """Choose version, data, rows, layer and methods."""
    versions = {str(v.ref): v for v in cache.versions() if v.available}
    datasets = [str(info.ref) for info in cache.datasets()]
    if not versions or not datasets:
        empty_state("There is no trained version to look at yet.", label="Go to Train", page="pages/2_Train.py")
        return None
    first, second, third = show.side_by_side(3, narrowest=230)
    with first:
        version = str(
            state.pick("version", "Version", list(versions), format_func=lambda r: version_label(versions[r]))
        )
        trained_on = str(versions[version].facts.get("data", ""))
        ref = str(state.pick("dataset", "Data set", datasets, default=trained_on))
        data = split_choice(cache.dataset(ref))
    with second:
        last = cache.layers(version)
        layers = [str(n) for n in range(last, -1, -1)]
        layer = str(state.pick("layer", "Layer", layers, format_func=lambda n: f"{n} (embeddings)" if n == "0" else n))
        method = method_choice("Map", PROJECTION, "visualise_method", in_link=True)
    with third:
        outliers = method_choice("Outliers", OUTLIERS, "visualise_outliers", in_link=True)
        with st.expander("Settings", icon=":material/tune:"):
            rows = st.number_input(
                "Rows at most",
                10,
                20_000,
                2000,
                key="visualise_rows_limit",
                bind="query-params",
                help="More are sampled by label.",
            )
            shown = [o for o in PROJECTION[method].options if o.name != "dimensions"]
            options = option_fields(shown, f"visualise_{method}", in_link=True)
            outlier_options = option_fields(OUTLIERS[outliers].options, f"visualise_{outliers}", in_link=True)
    config = MapConfig(version, data, int(layer), method, options, outliers, outlier_options, int(rows))
    return config.resolved(last)


@st.fragment
def explore(config: MapConfig) -> None:
    """Show the map and the rows of what is selected; a selection runs only this again."""
    with shown_errors():
        result = get_map(config, min(len(cache.dataset(config.data)), config.rows))
        if result is None:
            return
        st.markdown(charts.map_verdict(result))
        names = label_summary(result.points)
        color = linked.segments("Colour by", names, "visualise_color", format_func=charts.COLORS.__getitem__)
        selection = show.figure(charts.scatter(result, color), f"map_{config.id}_{color}", select=charts.SELECTION)
        show_selection(result, selection or {}, config.version, config.data.partition(":")[0])
        show.figure(charts.outlier_scores(result), "visualise_outlier_scores")


def metrics(version: str) -> None:
    """Show the metrics by class of the chosen version."""
    kept = cache.chief_evaluation(version)
    measured = cache.evaluation(kept) if kept else None
    if measured is not None and "by_class" in measured.tables:
        st.header("Metrics by class")
        show.figure(training_charts.class_metrics(measured), "visualise_classes")


with shown_errors():
    chosen = controls()
    if chosen:
        explore(chosen)
        metrics(chosen.version)
