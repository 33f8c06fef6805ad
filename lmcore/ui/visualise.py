"""Pieces of the Visualise page: getting a map, here or as a job, and what is selected on it."""

import pandas as pd
import streamlit as st

from lmcore.charts import projection as charts
from lmcore.data.dataset import TextDataset
from lmcore.jobs import JobState
from lmcore.projection.job import TARGET
from lmcore.projection.methods import PROJECTION
from lmcore.projection.representations import MapConfig, RepresentationMap, load_map, map_representations, save_map
from lmcore.types import SPLITS
from lmcore.ui import access, cache, show, state
from lmcore.ui.jobs import watch_job
from lmcore.ui.progress import PageReport

INLINE_ROWS = 1000
SHOWN_ROWS = 200


def split_choice(data: TextDataset) -> str:
    """Ask which rows are to be mapped; returns the stored data set's text form with the split."""
    if not data.is_split:
        return str(data.ref)
    names = ["all", *SPLITS]
    chosen = st.segmented_control(
        "Rows", names, default="test", key="visualise_split", required=True, bind="query-params"
    )
    return str(data.ref) if chosen in {None, "all"} else f"{data.ref}:{chosen}"


def get_map(config: MapConfig, rows: int) -> RepresentationMap | None:
    """Return the map: kept, drawn now where it is small, or None while a job draws it.

    Args:
        config: which map.
        rows: how many rows it will have.
    """
    kept = load_map(cache.settings().workspace, config.id)
    if kept is not None:
        return kept
    if config.method == "pca" and rows <= INLINE_ROWS:
        return _draw_here(config)
    return _draw_as_job(config)


def show_selection(result: RepresentationMap, selection: dict[str, list[float]], version: str, data: str) -> None:
    """Show the rows of the selected points, or the outliers where nothing is selected, each a way into Analyse."""
    ids = charts.selected_ids(result.points, selection)
    rows = result.points[result.points["id"].isin(ids)] if ids else result.points[result.points["is_outlier"]]
    rows = rows.sort_values("outlier", ascending=False)
    if ids:
        st.subheader(f"Selected texts: {len(ids):,}")
    else:
        st.subheader(f"Outliers: {len(rows):,}")
        st.caption("Drag over the map to see the texts of other points.")
    if rows.empty:
        return
    if len(rows) > SHOWN_ROWS:
        st.caption(f"The {SHOWN_ROWS} farthest out are listed; the download of the map has all.")
    shown = rows.assign(row=rows["id"] + 1)[["row", "text", "label", "predicted", "score", "outlier"]].head(SHOWN_ROWS)
    event = show.table(
        shown.rename(columns={"score": "probability", "outlier": "outlier score"}),
        "visualise_rows",
        alt="The texts of the selected points, the farthest out first.",
        on_select="rerun",
        selection_mode="single-row",
        percent=["probability"],
    )
    picked = event.selection.rows
    row = int(rows["id"].iloc[picked[0] if picked else 0])
    choices: dict[state.Choice, str] = {"version": version, "dataset": data, "row": str(row)}
    state.link("pages/3_Analyse.py", f"Open row {row + 1} in Analyse", choices)


def label_summary(points: pd.DataFrame) -> list[str]:
    """Return the colourings that these points have."""
    return [name for name in charts.COLORS if (points[name].astype(str) != "").any()]


def _draw_here(config: MapConfig) -> RepresentationMap:
    with PageReport("Drawing the map") as report, cache.pool().lease(config.version) as loaded:
        result = map_representations(loaded, cache.store().load(config.data), config, report=report)
    save_map(cache.settings().workspace, config.id, result)
    return result


def _draw_as_job(config: MapConfig) -> RepresentationMap | None:
    mine = [job for job in cache.board().list(kind="map") if job.config == config.to_dict()]
    latest = mine[0] if mine else None
    if latest is None or latest.state is JobState.DONE:
        if access.button(
            "Draw the map",
            action="start_job",
            type="primary",
            icon=":material/scatter_plot:",
            key=f"draw_{config.id}",
        ):
            title = f"{PROJECTION[config.method].title} map of {config.data}"
            cache.board().submit(TARGET, config.to_dict(), title=title, kind="map")
            st.rerun()
        st.caption("It is drawn by a job of its own: you can leave the page meanwhile.")
        return None
    watch_job(latest.id)
    return None
