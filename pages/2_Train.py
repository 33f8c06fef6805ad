"""Train a model, watch it, and read its evaluation."""

import streamlit as st

from lmcore.training.config import TrainConfig
from lmcore.training.job import TARGET, job_config
from lmcore.training.methods import TRAINING
from lmcore.training.verdict import verdict
from lmcore.ui import cache, show, state
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.jobs import watch_job
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import (
    base_models,
    default_config,
    describe_estimate,
    fitting_methods,
    model_choice,
    show_curves,
    show_errors,
    show_metrics,
    version_label,
)

open_page("Train")


def start_form() -> None:
    """Choose data, model and method; see what it will take; start the job."""
    split = [str(info.ref) for info in cache.datasets() if info.is_split]
    if not split:
        empty_state("No data set is split into train, dev and test yet.", label="Go to Data", page="pages/1_Data.py")
        return
    left, right = show.side_by_side()
    with left:
        name = state.chosen("dataset").partition("@")[0]
        same = next((r for r in split if r.startswith(f"{name}@")), "")
        ref = state.pick("dataset", "Data set", split, help="Only data sets that are split are listed.", default=same)
        data = cache.dataset(str(ref))
        default = default_config(data)
        model = model_choice(base_models(data.task), default.model, f"train_model_{ref}")
        name = st.text_input("Name", value=default.name, key=f"train_name_{ref}", help="Versions are kept under it.")
    with right:
        fitting = fitting_methods(data.task, model)
        method = method_choice("Method", TRAINING, "train_method", names=fitting)
        with st.expander("Settings", icon=":material/tune:"):
            given = option_fields(TRAINING[method].options, f"train_{method}_{model}", default_values(model, method))
    config = TrainConfig(name=name, task=data.task, model=model, method=method, **given).checked()
    estimate = describe_estimate(config, data)
    if st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=not estimate.fits):
        job = cache.board().submit(
            TARGET,
            job_config(config, str(ref)),
            title=f"Train {config.name} on {ref}",
            kind="train",
            needs_bytes=estimate.nbytes,
        )
        state.choose("job", job.id)
        st.rerun()


def default_values(model: str, method: str) -> dict[str, float]:
    """Return what the form shows first where the general defaults would not do."""
    return {"learning_rate": 5e-4, "epochs": 10} if method == "full" and model.startswith("config:") else {}


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
    kept = cache.evaluations_of(ref)
    if not kept:
        st.info(f"{ref} was not evaluated yet: run lmcore evaluate {ref} DATA on the command line.")
        return
    result = cache.evaluation(kept[0])
    st.markdown(verdict(result))
    show_metrics(result)
    show_errors(result)


with shown_errors():
    start_form()
with shown_errors():
    st.header("Runs")
    runs()
with shown_errors():
    st.header("Evaluation")
    evaluation()
