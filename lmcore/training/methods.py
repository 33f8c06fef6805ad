"""The ways of training."""

from lmcore.errors import OptionError
from lmcore.methods import Method, Registry, options_of
from lmcore.tasks import TASKS
from lmcore.training.config import TrainConfig


def tasks_of(method: str) -> list[str]:
    """Return the tasks that a way of training is for."""
    return [name for name, task in TASKS.items() if method in task.facts["methods"]]


TRAINING = Registry(
    "training method",
    Method(
        name="head",
        title="Linear head on a frozen model",
        summary="Freezes the model and fits a linear classifier on the mean token vector of the layer that does best "
        "on dev; minutes on a CPU.",
        target="lmcore.training.head:fit_head",
        options=options_of(TrainConfig, "head"),
        facts={"tasks": tasks_of("head"), "needs_weights": True},
    ),
    Method(
        name="full",
        title="All weights",
        summary="Trains every weight with AdamW and keeps the epoch that does best on dev; from random weights too.",
        target="lmcore.training.full:fit_full",
        options=options_of(TrainConfig, "full"),
        facts={"tasks": tasks_of("full"), "needs_weights": False},
    ),
)


def check_method(method: str, task: str) -> None:
    """Refuse a way of training that is not for a task.

    Raises:
        OptionError: it is not; the message lists those that are.
    """
    fitting = TASKS[task].facts["methods"]
    if TRAINING[method].name not in fitting:
        raise OptionError(f"The method {method} does not train {task}: choose {', '.join(fitting) or 'another task'}.")
