"""Why this answer to this text: probabilities, attribution, attention, activations, and neurons and layers over a data set."""

import streamlit as st

from lmcore.tasks import TASKS, load_task
from lmcore.ui import analyse, cache, linked, state
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import version_label
from lmcore.ui.views import ABOUT, VIEWS, View

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
        fitting = ", ".join(other.title for other in VIEWS.values() if other.fits(task))
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
    """Choose among the views that fit a task, those of a text or those of a data set.

    One that the link names stays there, so that it can say what fits.
    """
    titles = {name: view.title for name, view in VIEWS.items()}
    asked = linked.named("analyse_view", list(VIEWS), titles.__getitem__)
    offered = [view for name, view in VIEWS.items() if view.fits(task) or name == asked]
    usual = VIEWS[asked] if asked else offered[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        about = linked.segments(
            "Look into", [name for name in ABOUT if any(view.about == name for view in offered)], "analyse_about",
            format_func=ABOUT.__getitem__, default=usual.about,
        )  # fmt: skip
        names = [view.name for view in offered if view.about == about]
        chosen = linked.segments("View", names, "analyse_view", format_func=titles.__getitem__, default=offered[0].name)
    return VIEWS[chosen]


with shown_errors():
    version = version_choice()
    if version:
        task = cache.registry().get(version).task
        look(version, task, view_choice(task))
