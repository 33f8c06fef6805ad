"""The piece of the Train page that shows what a version forgot when it was trained further."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import forgetting as charts
from lmcore.training.forgetting import NEW, OLD
from lmcore.ui import cache, show

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.forgetting import Forgetting


def show_forgetting(version: "ModelVersion", offer: Callable[[], object]) -> None:
    """Show the newest report on a version, or offer to measure one.

    Args:
        version: what came out of further training.
        offer: draws the button that starts the job.
    """
    base = str(version.facts.get("base", ""))
    kept = cache.kept_forgetting(str(version.ref))
    if not kept and not base.startswith("models:/"):
        st.info(
            f"{version.ref} was not trained on from another version: choose a version as the model and the method "
            "“Go on with new data” to see what further training keeps and loses."
        )
        return
    if not kept:
        st.info(f"What {version.ref} forgot of what {base} knew was not measured yet.")
        offer()
        return
    _show_report(cache.forgetting(kept[0]))


def _show_report(found: "Forgetting") -> None:
    st.markdown(f"**{show.plain(found.verdict)}**")
    for sentence in found.sentences():
        st.markdown(f"- {show.plain(sentence)}")
    st.caption(
        f"{found.before} and {found.after} on the same test rows. Intervals of whole data sets hold 95 %, by a paired "
        "bootstrap; those of slices hold more each, so that among all of them the chance of one false alarm is at most 5 %."
    )
    left, right = show.side_by_side()
    with left:
        show.figure(charts.forgetting(found, OLD), "judging_forgetting_earlier")
    with right:
        show.figure(charts.forgetting(found, NEW), "judging_forgetting_new")
    st.download_button(
        "Download the report",
        data=found.to_frame().to_csv(index=False).encode(),
        file_name="forgetting.csv",
        mime="text/csv",
        key="judging_forgetting_download",
        icon=":material/download:",
        on_click="ignore",
    )
