"""Pieces of the Train page that judge a version: evaluating, slices, calibration, comparison, learning curve, card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lmcore.charts import judging as charts
from lmcore.charts.training import metric_curves
from lmcore.errors import UnknownError
from lmcore.models.decoding import DECODING
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.classes import ClassTask
from lmcore.training.judging import CALIBRATION, CURVE, EVALUATION, curve_config
from lmcore.types import SPLITS, count_of
from lmcore.ui import cache, show, state
from lmcore.ui.beside import show_beside
from lmcore.ui.compression import show_compression
from lmcore.ui.forgetting import show_forgetting
from lmcore.ui.forms import option_fields
from lmcore.ui.jobs import as_job, running_bytes
from lmcore.ui.train import show_errors, show_metrics, show_rewards, version_label

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.evaluation import Evaluation

SHOWN_ROWS = 200
CALIBRATION_TITLES = {
    "ece": "Calibration error",
    "brier": "Brier score",
    "nll": "Log-likelihood loss",
    "auroc": "AUROC",
}


def choose_evaluation(ref: str) -> "Evaluation | None":
    """Choose one of a version's kept evaluations, its chief one at first; None where there is none."""
    kept = {item.id: item for item in cache.kept_evaluations(version=ref)}
    if not kept:
        return None
    chief = cache.chief_evaluation(ref)
    if len(kept) == 1:
        return cache.evaluation(next(iter(kept)))
    chosen = st.selectbox(
        "Evaluated on",
        list(kept),
        index=list(kept).index(chief) if chief in kept else 0,
        format_func=lambda i: f"{kept[i].data} ({count_of(kept[i].rows, 'row')})",
        key=f"judging_evaluation_{ref}",
    )
    return cache.evaluation(chosen)


def evaluate_form(version: "ModelVersion", key: str, *, data: str = "", split: str = "test") -> None:
    """Offer to measure a version as a job, and watch the one that does.

    Args:
        version: what is measured.
        key: unique on the page.
        data: the data set and split that it has to be, both open where it is empty.
        split: which split is offered first.
    """
    if data:
        name, _, split = data.partition(":")
    else:
        names = [str(info.ref) for info in cache.datasets() if info.is_split and info.task == version.task]
        if not names:
            st.caption(f"No split data set is for {TASKS[version.task].title.lower()}: bring one in on the Data page.")
            return
        own = str(version.facts.get("data", ""))
        left, right = show.side_by_side()
        name = left.selectbox("Data set", names, index=names.index(own) if own in names else 0, key=f"{key}_data")
        split = right.selectbox("Rows", SPLITS, index=SPLITS.index(split), key=f"{key}_split")
    config: dict[str, Any] = {"version": str(version.ref), "data": name, "split": split or "test"}
    usual = load_task(version.task).decoding()
    if usual is not None and st.toggle("Write in another way", key=f"{key}_decoding"):
        with st.container(border=True):
            config["decoding"] = option_fields(DECODING.options, f"{key}_decoding", asdict(usual))
    title = f"Evaluate {version.ref} on {name}"
    as_job(EVALUATION, config, title, "evaluate", "Evaluate", key, needs=lambda: running_bytes(version))


def show_overview(result: "Evaluation") -> None:
    """Show the figures, what rewards did, and the surest errors."""
    show_metrics(result)
    show_rewards(result)
    show_errors(result)


def show_slices(result: "Evaluation") -> None:
    """Show the figure on every slice, and the rows of one of them."""
    report = cache.slices(result.id)
    for sentence in report.sentences():
        st.markdown(f"- {show.plain(sentence)}")
    st.caption(
        f"{len(report.slices)} slices are looked at, so that each interval holds {report.level:.2%} instead of 95 %: among "
        "all of them the chance of one false alarm is at most 5 %."
    )
    show.figure(charts.slices(report), "judging_slices")
    names = list(report.slices[["by", "slice"]].itertuples(index=False, name=None))
    worst = report.slices["verdict"].tolist().index("worse") if "worse" in set(report.slices["verdict"]) else 0
    number = st.selectbox(
        "Rows of a slice",
        range(len(names)),
        index=worst,
        format_func=lambda i: f"{names[i][0]} = {names[i][1]}",
        key=f"judging_slice_{result.id}",
    )
    rows = result.predictions[result.predictions["id"].isin(report.rows_of(*names[number]))]
    rows = rows.sort_values(["correct", "score"], ascending=[True, False], kind="stable")
    if len(rows) > SHOWN_ROWS:
        st.caption(f"The {SHOWN_ROWS} most wrong of {len(rows):,} are listed.")
    show.table(
        rows.assign(row=rows["id"] + 1)[["row", "text", "gold", "label", "score", "correct"]].head(SHOWN_ROWS),
        "judging_slice_rows",
        alt="The rows of the slice, the surest errors first.",
        percent=["score"],
    )
    _link_to_rows(result, rows["id"].head(SHOWN_ROWS).tolist(), "judging_slice_row")


def show_calibration(result: "Evaluation", version: "ModelVersion") -> None:
    """Show whether the probabilities hold, and offer to fit a temperature."""
    if not isinstance(load_task(result.task), ClassTask):
        st.info(f"{TASKS[result.task].title} gives no probabilities of classes: there is nothing to calibrate.")
        return
    measured = [cache.calibration(result.id)]
    st.markdown(measured[0].verdict)
    origin = str(version.facts.get("calibrated_from", ""))
    earlier = cache.kept_evaluations(version=origin, data=result.data) if origin else []
    if earlier:
        measured.insert(0, cache.calibration(earlier[0].id))
        st.caption(
            f"A temperature of {version.facts['temperature']:.2f} was fitted on {version.facts['calibrated_on']}; {origin} is "
            "the same model without it."
        )
    left, right = show.side_by_side()
    with left:
        show.figure(charts.reliability(measured), "judging_reliability")
    with right:
        for found in measured:
            shown = found.measures.assign(measure=found.measures["metric"].map(CALIBRATION_TITLES))
            st.caption(found.version)
            show.table(
                shown[["measure", "value", "low", "high"]],
                f"judging_calibration_{found.version}",
                alt="Calibration error, Brier score, negative log-likelihood and AUROC with 95 % intervals.",
            )
    st.subheader("Fit a temperature")
    st.caption(
        "One number that the logits are divided by, fitted on the dev split alone. It makes a new version: its answers are "
        "the same, its probabilities are not."
    )
    data = result.data.partition(":")[0]
    config = {"version": str(version.ref), "data": data}
    title, key = f"Calibrate {version.ref}", "judging_calibrate"
    job = as_job(CALIBRATION, config, title, "calibrate", "Calibrate", key, needs=lambda: running_bytes(version))
    if job and job.result:
        st.markdown(job.result["verdict"])
        made = str(job.result["version"])
        state.link("pages/2_Train.py", f"See {made}", {"version": made})


def show_comparison(result: "Evaluation", versions: Mapping[str, "ModelVersion"]) -> None:
    """Compare with other versions on the same rows; what was not measured on them can be."""
    others = [ref for ref, v in versions.items() if v.task == result.task and ref != result.version and v.available]
    if not others:
        st.info("There is no other version of this task yet: train one to compare with.")
        return
    found_kept = cache.kept_evaluations(data=result.data)
    # The newest of each version, but rather one whose texts were written in the same way as those it is held against.
    alike = sorted(reversed(found_kept), key=lambda item: item.own_way == result.own_way)
    kept = {item.version: item.id for item in alike}
    measured = [ref for ref in others if ref in kept]
    picked = st.multiselect(
        "Compare with",
        others,
        default=measured[:1],
        format_func=lambda ref: version_label(versions[ref]),
        key=f"judging_others_{result.id}",
    )
    for ref in [ref for ref in picked if ref not in kept]:
        st.info(f"{ref} was not evaluated on {result.data} yet.")
        evaluate_form(versions[ref], f"judging_evaluate_{ref}", data=result.data)
    chosen = tuple(kept[ref] for ref in picked if ref in kept)
    if not chosen:
        st.caption("Choose a version that was evaluated on the same rows.")
        return
    found = cache.comparison((result.id, *chosen))
    for sentence in found.verdicts():
        st.markdown(f"**{show.plain(sentence)}**")
    pairs = len(found.versions) * (len(found.versions) - 1) // 2
    level = f"; with {pairs} pairs each interval holds {found.parameters['level']:.1%}" if pairs > 1 else ""
    st.caption(f"Paired bootstrap: every resample draws the same rows for all versions{level}.")
    show.figure(charts.differences(found), "judging_differences")
    rows = found.disagreements
    st.subheader(f"Rows that one gets right and another wrong: {len(rows):,}")
    if len(rows):
        table = rows.assign(row=rows["id"] + 1).drop(columns="id").head(SHOWN_ROWS)
        show.table(
            table[["row", "text", "gold", *found.versions]],
            "judging_disagreements",
            alt="The rows on which the versions disagree, with each one's answer.",
        )


def show_curve(version: "ModelVersion") -> None:
    """Show what more data would bring, from a job that trains on growing parts of the data."""
    from lmcore.training.config import TrainConfig
    from lmcore.training.curve import curve_id, draws_curve, load_curve

    known = version.facts
    if not known.get("config"):
        st.info(f"{version.ref} was not trained here: its configuration is not known.")
        return
    config, ref = TrainConfig.from_dict(known["config"]), str(known["data"])
    if not draws_curve(config):
        st.info(f"{version.ref} went on from {config.model}: a learning curve is of one data set alone.")
        return
    st.caption(
        "Trains the same way on 10, 25, 50 and 100 % of the training split, the smaller parts inside the larger ones, and "
        "measures each on the same test split. No version is registered."
    )
    identifier = curve_id(config, cache.dataset(ref))
    wanted = curve_config(config, ref, settings=cache.settings())
    same = {name: wanted[name] for name in ("train", "data", "shares")}
    job = as_job(
        CURVE,
        wanted,
        f"Learning curve of {version.ref}",
        "curve",
        "Draw the curve",
        "judging_curve",
        needs=lambda: cache.estimate(config, ref).nbytes,
        same=same,
        curves=_draw_sizes,
    )
    for kept in dict.fromkeys([str(job.result["curve"]) if job and job.result else "", identifier]):
        try:
            curve = load_curve(cache.settings().workspace, kept)
        except UnknownError:
            continue
        st.markdown(show.plain(curve.verdict))
        show.figure(charts.learning_curve(curve), "judging_learning")
        return


def show_card(version: "ModelVersion", result: "Evaluation") -> None:
    """Show the model card with a download."""
    card = cache.card(str(version.ref), result.id)
    st.download_button(
        "Download the card",
        data=card.encode(),
        file_name=f"{version.name}-{version.version}.md",
        mime="text/markdown",
        key="judging_card",
        icon=":material/download:",
        on_click="ignore",
    )
    with st.container(border=True):
        st.markdown(card)


def _draw_sizes(metrics: pd.DataFrame) -> None:
    """Draw the figures of the sizes that are done."""
    names = tuple(sorted(set(metrics["name"])))
    done = metrics.assign(name=metrics["name"].str.removeprefix("test_").str.replace("_", " "))
    shown = tuple(name.removeprefix("test_").replace("_", " ") for name in names)
    figure = metric_curves(done, shown, title="Test figures so far", x="Training rows", y="Value (metric's own unit)")
    show.figure(figure, "judging_sizes")


def _link_to_rows(result: "Evaluation", ids: Sequence[int], key: str) -> None:
    if not ids or not TASKS[result.task].facts["analyse"]:
        return
    row = st.selectbox("Open a row in Analyse", ids, format_func=lambda i: f"Row {i + 1}", key=key)
    choices: dict[state.Choice, str] = {
        "version": result.version,
        "dataset": result.data.partition(":")[0],
        "row": str(row),
    }
    state.link("pages/3_Analyse.py", f"Analyse row {row + 1}", choices)


VIEWS = {
    "overview": "Overview",
    "slices": "Slices",
    "calibration": "Calibration",
    "compare": "Compare",
    "beside": "Before and after",
    "curve": "Learning curve",
    "compression": "Compression",
    "forgetting": "Forgetting",
    "card": "Model card",
}


def show_view(name: str, result: "Evaluation", versions: Mapping[str, "ModelVersion"]) -> None:
    """Draw one of the `VIEWS` of an evaluation."""
    version = versions[result.version]
    views: dict[str, Callable[[], None]] = {
        "overview": lambda: show_overview(result),
        "slices": lambda: show_slices(result),
        "calibration": lambda: show_calibration(result, version),
        "compare": lambda: show_comparison(result, versions),
        "beside": lambda: show_beside(result, versions),
        "curve": lambda: show_curve(version),
        "compression": lambda: show_compression(result, version),
        "forgetting": lambda: show_forgetting(version),
        "card": lambda: show_card(version, result),
    }
    views[name]()
