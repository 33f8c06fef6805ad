"""Pieces of the Train page: defaults, the estimate and the live curves."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lmcore.charts import training as charts
from lmcore.data.dataset import TextDataset
from lmcore.data.text import is_chinese
from lmcore.settings import MIB
from lmcore.training.config import PRETRAINED_DEFAULT, TrainConfig
from lmcore.ui import cache, show

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.estimate import Estimate


def base_models() -> dict[str, str]:
    """Return the models that can be trained, text form to title: base models first, then registered versions."""
    from lmcore.models.catalogue import list_models

    found = {str(choice.ref): choice.title for choice in list_models(cache.settings())}
    return found | {str(v.ref): f"{v.name}, version {v.version}" for v in cache.versions() if v.available}


def default_config(data: TextDataset) -> TrainConfig:
    """Return what suits a data set: a packaged encoder for English, a model from a configuration for Chinese."""
    sample = data.frame["text"].head(200)
    if sample.map(is_chinese).mean() > 0.5:
        return TrainConfig(name=data.name, task=data.task, model="config:bert-small", method="full")
    return TrainConfig(name=data.name, task=data.task, model=PRETRAINED_DEFAULT, method="head")


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
    """Draw the live curves: dev accuracy by layer for `head`, losses and dev accuracy by step for `full`."""
    if "loss" in set(metrics["name"]):
        left, right = show.side_by_side()
        with left:
            loss = charts.metric_curves(
                metrics, ("loss", "dev_loss"), title="Loss", x="Training step", y="Cross-entropy (nats)"
            )
            show.figure(loss, "curve_loss")
        with right:
            if "dev_accuracy" not in set(metrics["name"]):
                st.caption("The accuracy on dev is measured at the end of each epoch: none has ended yet.")
                return
            accuracy = charts.metric_curves(
                metrics, ("dev_accuracy",), title="Accuracy on dev", x="Training step", y="Accuracy (0 to 1)"
            )
            show.figure(accuracy, "curve_accuracy")
    else:
        by_layer = charts.metric_curves(
            metrics, ("dev_accuracy",), title="Accuracy on dev by layer", x="Layer", y="Accuracy (0 to 1)"
        )
        show.figure(by_layer, "curve_layer")


def version_label(version: "ModelVersion") -> str:
    """Return a version's name with its number and alias."""
    alias = f" · {', '.join(version.aliases)}" if version.aliases else ""
    return f"{version.name}, version {version.version}{alias}"
