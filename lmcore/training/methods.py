"""The ways of training."""

from lmcore.methods import Method, Registry, options_of
from lmcore.training.config import TrainConfig

TRAINING = Registry(
    "training method",
    Method(
        name="head",
        title="Linear head on a frozen model",
        summary="Freezes the model and fits a linear classifier on the mean token vector of the layer that does best "
        "on dev; minutes on a CPU.",
        target="lmcore.training.head:fit_head",
        options=options_of(TrainConfig, "head"),
        facts={"tasks": ["text-classification"], "needs_weights": True},
    ),
    Method(
        name="full",
        title="All weights",
        summary="Trains every weight with AdamW and keeps the epoch that does best on dev; from random weights too.",
        target="lmcore.training.full:fit_full",
        options=options_of(TrainConfig, "full"),
        facts={"tasks": ["text-classification"], "needs_weights": False},
    ),
)
