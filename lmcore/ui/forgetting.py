"""The piece of the Train page that shows what a version forgot when it was trained further."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import forgetting as charts
from lmcore.training.continual.forgetting import NEW, OLD
from lmcore.training.judging import FORGETTING
from lmcore.ui import cache, show
from lmcore.ui.jobs import as_job, running_bytes

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.continual.forgetting import Forgetting


def show_forgetting(version: "ModelVersion") -> None:
    """Show the newest report on what came out of further training, or offer to measure it."""
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
        as_job(
            FORGETTING,
            {"version": str(version.ref)},
            f"Forgetting of {version.ref}",
            "forgetting",
            "Measure forgetting",
            "judging_forgetting",
            needs=lambda: 2 * running_bytes(version),
        )
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
