"""Why this answer to this text: probabilities, attribution, attention, activations, and neurons and layers over a data set."""

import streamlit as st

from lmcore.tasks import TASKS, load_task
from lmcore.ui import analyse, cache, state
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import version_label
from lmcore.ui.views import VIEWS, View

open_page("Analyse")


def version_choice() -> str:
    """Choose the version; empty where there is none."""
    trained = [v for v in cache.versions() if v.available]
    versions = {str(v.ref): v for v in trained if any(view.fits(v.task) for view in VIEWS.values())}
    if not versions:
        empty_state("There is no trained version to look into yet.", label="Go to Train", page="pages/2_Train.py")
        return ""
    return str(state.pick("version", "Version", list(versions), format_func=lambda r: version_label(versions[r])))


def look(version: str, task: str, view: View) -> None:
    """Look at what the model makes of a text, or of a data set."""
    if not view.fits(task):
        fitting = ", ".join(title for title, other in VIEWS.items() if other.fits(task))
        st.info(f"This view does not look into versions for {TASKS[task].title.lower()}: choose {fitting}.")
        return
    if not view.reads_text:
        view.draw(version)
        return
    given = analyse.text_choice(version)
    if analyse.is_filled(load_task(task), given):
        view.draw(version, given)
    else:
        empty_state("Type a text, or take a row of a data set, to see what the model makes of it.")


def view_choice(task: str) -> View:
    """Choose among the views that fit a task; one that the link names stays there, so that it can say what fits."""
    fitting = [title for title, view in VIEWS.items() if view.fits(task)]
    named = st.session_state.get("analyse_view") or st.query_params.get("analyse_view")
    offered = [title for title in VIEWS if title in fitting or title == named]
    chosen = st.segmented_control(
        "View", offered, default=fitting[0], key="analyse_view", required=True, bind="query-params"
    )
    return VIEWS[str(chosen)]


with shown_errors():
    version = version_choice()
    if version:
        task = cache.registry().get(version).task
        look(version, task, view_choice(task))
