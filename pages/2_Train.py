"""Train a model, watch it, and read its evaluation."""

import streamlit as st

from lmcore.tasks import TASKS
from lmcore.training.config import TrainConfig
from lmcore.training.defaults import default_config, default_settings, fitting_methods
from lmcore.training.job import TARGET, job_config
from lmcore.training.methods import TRAINING
from lmcore.training.verdict import verdict
from lmcore.ui import access, cache, linked, show, state
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.jobs import watch_job
from lmcore.ui.judging import VIEWS, choose_evaluation, evaluate_form, show_view
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import (
    base_models,
    describe_estimate,
    model_choice,
    offered_options,
    place_choice,
    show_curves,
    version_label,
)
from lmcore.ui.tuning import choose_mode, search_form, searches, taken_settings

open_page("Train")


def start_form(mode: str) -> None:
    """Choose data, model, method and settings; then train once, or search for better settings."""
    split = [str(info.ref) for info in cache.datasets() if info.is_split and TASKS[info.task].facts["methods"]]
    if not split:
        empty_state("No data set is split into train, dev and test yet.", label="Go to Data", page="pages/1_Data.py")
        return
    left, right = show.side_by_side()
    with left:
        name = state.chosen("dataset").partition("@")[0]
        same = next((r for r in split if r.startswith(f"{name}@")), "")
        ref = state.pick("dataset", "Data set", split, help="Only data sets that are split are listed.", default=same)
        data = cache.dataset(str(ref))
        taken, ending = taken_settings(str(ref))
        default = taken or default_config(data)
        models = base_models(data.task) | ({taken.model: taken.model} if taken else {})
        model = model_choice(models, default.model, f"train_model_{ref}{ending}")
        name = st.text_input(
            "Name", value=default.name, key=f"train_name_{ref}{ending}", help="Versions are kept under it."
        )
    with right:
        fitting = fitting_methods(data.task, model)
        method = method_choice("Method", TRAINING, "train_method", names=fitting)
        with st.expander("Settings", icon=":material/tune:"):
            fits = taken is not None and (taken.method, taken.model) == (method, model)
            usual = taken.to_dict() if taken and fits else default_settings(data.task, method)
            key = f"train_{data.task}_{method}_{model}{ending}"
            given = option_fields(offered_options(method, data.task), key, usual)
    config = TrainConfig(name=name, task=data.task, model=model, method=method, **given).checked()
    if mode == "search":
        search_form(config, str(ref))
        return
    with right:
        place = place_choice(method)
    estimate = describe_estimate(config, data)
    if access.button(
        "Start training",
        action="start_job",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not (estimate.fits or place.cluster),
    ):
        job = cache.board().submit(
            TARGET,
            job_config(config, str(ref), settings=cache.settings(), workers=place.workers, cluster=place.cluster),
            title=f"Train {config.name} on {ref}",
            kind="train",
            needs_bytes=0 if place.cluster else estimate.nbytes,
        )
        state.choose("job", job.id)
        st.rerun()


def runs() -> None:
    """Watch one job out of those that were started."""
    jobs = {job.id: job for job in cache.board().list(kind="train")}
    if not jobs:
        st.caption("No training has been started on this page yet.")
        return
    job_id = state.pick("job", "Run", list(jobs), format_func=lambda i: f"{jobs[i].title} · {jobs[i].state}")
    watch_job(str(job_id), show_curves)
    result = cache.board().get(str(job_id)).result
    if result:
        said = ", ".join(f"{name} {value:g}" for name, value in result["choices"].items())
        st.caption(f"Chosen on dev: {said}.")
        if "forgotten" in result:
            st.markdown(show.plain(result["forgotten"]))
        for warning in result["warnings"]:
            st.warning(warning)
        state.link("pages/2_Train.py", f"See how {result['version']} did", {"version": result["version"]})


def evaluation() -> None:
    """Read how a version did on the test split."""
    versions = {str(v.ref): v for v in cache.versions()}
    if not versions:
        st.caption("No version is registered yet.")
        return
    ref = str(state.pick("version", "Version", list(versions), format_func=lambda r: version_label(versions[r])))
    result = choose_evaluation(ref)
    if result is None:
        st.info(f"{ref} was not evaluated yet: choose the rows to measure it on.")
        evaluate_form(versions[ref], "evaluate")
        return
    st.markdown(verdict(result))
    view = linked.segments("View", list(VIEWS), "judging_view", format_func=VIEWS.__getitem__)
    show_view(view, result, versions)
    with st.expander("Evaluate on other rows", icon=":material/fact_check:"):
        evaluate_form(versions[ref], "evaluate_again")


mode = choose_mode()
with shown_errors():
    start_form(mode)
if mode == "search":
    with shown_errors():
        st.header("Searches")
        searches()
else:
    with shown_errors():
        st.header("Runs")
        runs()
    with shown_errors():
        st.header("Evaluation")
        evaluation()
