"""Pieces of the Train page: defaults, the estimate and the live curves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lmcore.charts import training as charts
from lmcore.data.dataset import TextDataset
from lmcore.methods import Option
from lmcore.models.catalogue import check_hub_id
from lmcore.settings import MIB
from lmcore.tasks import load_task, reads_task
from lmcore.training.config import FROM_LABELS, TrainConfig
from lmcore.training.distributed.ray_jobs import RayAccess
from lmcore.training.distributed.workers import Place
from lmcore.training.methods import options_for
from lmcore.ui import cache, linked, show, state

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.estimate import Estimate
    from lmcore.training.evaluation import Evaluation

SHOWN_ERRORS = 20


def base_models(task: str) -> dict[str, str]:
    """Return the models that can be trained for a task, text form to title: base models first, then versions."""
    from lmcore.models.catalogue import list_models

    found = {str(choice.ref): choice.title for choice in list_models(cache.settings(), task)}
    return found | {str(v.ref): f"{v.name}, version {v.version}" for v in cache.versions() if v.available}


def model_choice(models: Mapping[str, str], default: str, key: str) -> str:
    """Ask for a model out of a list, or a hub model by its id; returns its text form.

    Raises:
        InputError: what was typed is not a hub id; a page opens no path that a user types.
    """
    picked = st.selectbox(
        "Model",
        list(models),
        index=list(models).index(default) if default in models else 0,
        format_func=lambda name: models.get(name, name),
        key=key,
        accept_new_options=True,
        help="A base model, a registered version to train further, or a hub model: type its id, such as org/name.",
    )
    name = str(picked)
    return name if name in models else f"hub:{check_hub_id(name.strip().removeprefix('hub:'))}"


def place_choice(method: str) -> Place:
    """Ask where to train, where a Ray cluster is set up and the method can use one; else it is this machine.

    Raises:
        OptionError: the cluster's address is none, or there is no token for it.
    """
    settings = cache.settings()
    if not settings.ray_address or method not in FROM_LABELS:
        return Place()
    places = {"here": Place(), "cluster": Place(settings.ray_workers, cluster=True)}
    titles = {"here": "this machine", "cluster": "the Ray cluster"}
    said = f"On the cluster {settings.ray_workers} workers share each batch: the batch size is a multiple of that."
    place = places[linked.segments("Where", list(places), "train_place", format_func=titles.__getitem__, help=said)]
    if place.cluster:
        RayAccess.from_environment(settings)
    return place


def offered_options(method: str, task: str) -> list[Option]:
    """Return the settings of a way of training for a task; a classifier is chosen among the versions that there are."""
    versions = tuple(str(v.ref) for v in cache.versions() if v.available and v.task == "text-classification")
    return [
        replace(item, kind="choice", choices=("", *versions)) if item.name == "classifier" and versions else item
        for item in options_for(method, task)
    ]


def describe_estimate(config: TrainConfig, data: TextDataset) -> "Estimate":
    """Show time and memory before the start, and what the model will not see of the texts."""
    estimate = cache.estimate(config, str(data.ref))
    minutes = estimate.seconds / 60
    time = f"{estimate.seconds:.0f} seconds" if minutes < 2 else f"{minutes:.0f} minutes"
    st.caption(
        f":material/timer: About {time} and {estimate.nbytes / MIB:,.0f} MiB of memory "
        f"({estimate.available / MIB:,.0f} MiB are free); {estimate.unknown_share:.1%} of the tokens are unknown to "
        f"the model, {estimate.truncated_share:.1%} of the texts will be cut."
    )
    if not estimate.fits:
        st.error("This does not fit into memory: choose a smaller model, batch size or longest text.")
    if not estimate.knows_language:
        st.warning(
            f"This model does not know {estimate.unknown_share:.0%} of the tokens: choose one made for this language, "
            "or bert-small from a configuration."
        )
    return estimate


def show_curves(metrics: pd.DataFrame) -> None:
    """Draw the live curves: dev figures by layer for `head`, rewards for `grpo`, losses and dev figures for the others."""
    names = set(metrics["name"])
    if "reward" in names:
        _show_rewarded(metrics)
        return
    dev = tuple(sorted(name for name in names if name.startswith("dev_") and name != "dev_loss"))
    if "loss" not in names:
        said = dev[0].removeprefix("dev_").replace("_", " ").capitalize() if dev else "Figures"
        by_layer = charts.metric_curves(metrics, dev, title=f"{said} on dev by layer", x="Layer", y="Value (0 to 1)")
        show.figure(by_layer, "curve_layer")
        return
    left, right = show.side_by_side()
    with left:
        loss = charts.metric_curves(
            metrics, ("loss", "dev_loss"), title="Loss", x="Training step", y="Cross-entropy (nats)"
        )
        show.figure(loss, "curve_loss")
    with right:
        if not dev and "dev_loss" in names:
            st.caption("The epoch with the lowest loss on dev is kept.")
        elif not dev:
            st.caption("The figures on dev are measured at the end of each epoch: none has ended yet.")
        else:
            curves = charts.metric_curves(metrics, dev, title="Figures on dev", x="Training step", y="Value (0 to 1)")
            show.figure(curves, "curve_dev")


def _show_rewarded(metrics: pd.DataFrame) -> None:
    """Draw what texts are rewarded with, how far the model has gone from what it was, and how long its texts are."""
    names = set(metrics["name"])
    parts = tuple(sorted(name for name in names if name.startswith("reward_") and name != "reward_std"))
    curves = {
        "reward": (("reward", "dev_reward", *parts), "Mean reward", "Reward (0 to 1)"),
        "kl": (("kl",), "KL divergence from the model as it was", "KL (nats a token)"),
        "length": (("length",), "Length of the texts written", "Mean length (tokens)"),
        "spread": (("reward_std",), "Spread of the rewards in a step", "Standard deviation (reward)"),
        "loss": (("loss",), "Loss", "Loss of the policy"),
    }
    drawn = {key: values for key, values in curves.items() if names & set(values[0])}
    for place, (key, (wanted, title, y)) in enumerate(drawn.items()):
        if place % 2 == 0:
            columns = show.side_by_side()
        with columns[place % 2]:
            kept = tuple(name for name in wanted if name in names)
            figure = charts.metric_curves(metrics, kept, title=title, x="Training step", y=y)
            show.figure(figure, f"curve_{key}")
    if "kl" not in names:
        st.caption("The KL weight is 0: how far the model goes from what it was is not measured.")


def show_rewards(result: "Evaluation") -> None:
    """Say what training did to the mean reward, and set beside each other what was written before and after."""
    from lmcore.training.reinforcement.rewarding import reward_verdict

    if "rewards" not in result.tables:
        return
    st.subheader("Before and after the rewards")
    st.markdown(show.plain(reward_verdict(result.tables["rewards"])))
    written = result.tables["completions"].head(SHOWN_ERRORS)
    shown = written.assign(row=written["id"] + 1)
    show.table(
        shown[["row", "reward_before", "reward_after", "prompt", "before", "after"]],
        "train_rewards",
        alt="Prompts of test rows, what the model wrote from them before and after training, and the reward of each.",
    )


def show_metrics(result: "Evaluation") -> None:
    """Draw the figures of an evaluation, and by class and as a confusion matrix where the task has classes."""
    left, right = show.side_by_side()
    with left:
        for unit in charts.metric_units(result):
            show.figure(charts.metric_intervals(result, unit), f"train_metrics_{unit}")
        if "confusion" in result.tables:
            show.figure(charts.confusion_matrix(result), "train_confusion")
    if "by_class" in result.tables:
        with right:
            show.figure(charts.class_metrics(result), "train_classes")


def show_errors(result: "Evaluation") -> None:
    """List the errors that the model is surest of, each with a link that opens it in Analyse.

    Of a task that writes texts of its own it lists what was written.
    """
    if not load_task(result.task).judged:
        _show_written(result)
        return
    st.subheader("Errors the model is surest of")
    errors = result.errors(SHOWN_ERRORS)
    if errors.empty:
        st.success("The model made no error on these rows.")
        return
    shown = errors.assign(
        row=errors["id"] + 1, predicted=errors["label"], wanted=errors["gold"], sureness=errors["score"]
    )
    show.table(
        shown[["row", "text", "wanted", "predicted", "sureness"]],
        "train_errors",
        alt="The wrong predictions with the highest probability first.",
        percent=["sureness"],
    )
    if not reads_task(result.task):
        return
    row = st.selectbox("Open an error in Analyse", errors["id"].tolist(), format_func=lambda i: f"Row {i + 1}")
    data = result.data.partition(":")[0]
    choices: dict[state.Choice, str] = {"version": result.version, "dataset": data, "row": str(row)}
    state.link("pages/3_Analyse.py", f"Analyse row {row + 1}", choices)


def _show_written(result: "Evaluation") -> None:
    st.subheader("What the model wrote")
    written = result.predictions[result.predictions["label"] != ""].head(SHOWN_ERRORS)
    shown = written.assign(row=written["id"] + 1, beginning=written["prompt"], written=written["label"])
    show.table(
        shown[["row", "beginning", "written", "gold"]],
        "train_written",
        alt="Beginnings of test rows, what the model wrote on from them, and how the rows really go on.",
    )


def version_label(version: "ModelVersion") -> str:
    """Return a version's name with its number and alias."""
    alias = f" · {', '.join(version.aliases)}" if version.aliases else ""
    return f"{version.name}, version {version.version}{alias}"
