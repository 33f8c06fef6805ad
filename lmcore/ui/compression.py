"""The view of the Train page that makes a version smaller and shows what that brings and costs."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.charts import compression as charts
from lmcore.jobs import JobState
from lmcore.settings import MIB
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.job import TARGET, compress_bytes, job_config
from lmcore.training.compression.methods import COMPRESSION
from lmcore.ui import access, cache, show, state
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.jobs import watch_job

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.compression.tradeoff import Tradeoff
    from lmcore.training.evaluation import Evaluation


def show_compression(result: "Evaluation", version: "ModelVersion") -> None:
    """Offer to make a smaller version, watch the job that does, and show the family's trade-off."""
    from lmcore.training.compression.tradeoff import newest_tradeoff, root_of

    known = version.facts.get("compression")
    if known:
        st.caption(f"Made from {known['from']}: {show.plain(known['summary'])}")
    _start(version, result.data.partition(":")[0])
    found = newest_tradeoff(cache.settings().workspace, root_of(version), result.data)
    if found is None:
        st.caption("Nothing was made from this version yet: what it brings and costs will be drawn here.")
        return
    _draw(found, version)


def _start(version: "ModelVersion", data: str) -> None:
    """Choose a method, start the job, or watch the newest one of this version."""
    left, right = show.side_by_side()
    with left:
        method = method_choice("Make it smaller by", COMPRESSION, "compress_method")
    with right:
        given = option_fields(COMPRESSION[method].options, f"compress_{method}")
    if method == "onnx":
        st.caption(
            "The export is measured in ONNX Runtime. The other pages and the prediction server go on to run the version's "
            "weights; the export is for programs of your own, and is downloaded from here."
        )
    config = CompressConfig(version=str(version.ref), method=method, **given).checked()
    jobs = [
        job
        for job in cache.board().list(kind="compress")
        if job.config.get("compress", {}).get("version") == config.version and job.config.get("data") == data
    ]
    latest = jobs[0] if jobs else None
    if latest is not None and latest.state is not JobState.DONE:
        watch_job(latest.id)
    idle = latest is None or latest.state.ended
    if idle and access.button(
        "Make it smaller", action="start_job", key="compress_start", icon=":material/compress:", type="primary"
    ):
        title = f"Compress {version.ref} ({COMPRESSION[method].title.lower()})"
        told = job_config(config, data, settings=cache.settings())
        cache.board().submit(TARGET, told, title=title, kind="compress", needs_bytes=compress_bytes(version))
        st.rerun()
    if latest is not None and latest.result:
        st.markdown(show.plain(latest.result["summary"]))
        made = str(latest.result["version"])
        state.link("pages/2_Train.py", f"See {made}", {"version": made})


def _draw(found: "Tradeoff", version: "ModelVersion") -> None:
    """Show the chart and the table, and the export where the version has one."""
    show.figure(charts.tradeoff(found), "compression_tradeoff")
    st.caption(f"{show.plain(found.conditions)} Measured on {show.plain(found.data)}.")
    shown = found.points.assign(
        MiB=(found.points["bytes"] / MIB).round(1), weights=found.points["parameters"] - found.points["zeros"]
    ).rename(
        columns={"single_ms": "ms a text", "single_p95_ms": "95th percentile", "batch_per_second": "texts a second"}
    )
    names = ["ms a text", "95th percentile", "texts a second"]
    shown[names] = shown[names].round(1)
    show.table(
        shown[["version", "how", "quality", "low", "high", "MiB", "weights", *names, "front"]].round(3),
        "compression_points",
        alt="Each version with its main figure, 95 % interval, size, weights that are not zero, times, and whether it is on "
        "the front of quality, time and size.",
    )
    _download(version)


def _download(version: "ModelVersion") -> None:
    from lmcore.models.exported import EXPORT, is_exported

    if not is_exported(version.folder):
        return
    path = version.folder / EXPORT
    st.download_button(
        f"Download the export ({path.stat().st_size / MIB:.0f} MiB)",
        data=path.read_bytes,
        file_name=f"{version.name}-{version.version}.onnx",
        mime="application/octet-stream",
        key="compression_export",
        icon=":material/download:",
        on_click="ignore",
    )
