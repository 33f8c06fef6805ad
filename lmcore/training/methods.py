"""The ways of training."""

import importlib.util

from lmcore.errors import OptionError
from lmcore.methods import Method, Option, Registry, options_of
from lmcore.tasks import TASKS, load_task
from lmcore.training.config import FROM_LABELS, TrainConfig
from lmcore.training.distributed.workers import Workers


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
        facts={"tasks": tasks_of("head"), "starts_from": "weights"},
    ),
    Method(
        name="full",
        title="All weights",
        summary="Trains every weight of a pre-trained model with AdamW and keeps the epoch that does best on dev.",
        target="lmcore.training.full:fit_full",
        options=options_of(TrainConfig, "full"),
        facts={"tasks": tasks_of("full"), "starts_from": "weights"},
    ),
    Method(
        name="lora",
        title="Low-rank adapters (LoRA)",
        summary="Leaves the pre-trained weights as they are and learns a small change of each matrix: a fraction of the "
        "memory that all weights take; the change is merged in at the end.",
        target="lmcore.training.lora:fit_lora",
        options=options_of(TrainConfig, "lora"),
        facts={"tasks": tasks_of("lora"), "starts_from": "weights"},
    ),
    Method(
        name="scratch",
        title="From scratch",
        summary="Builds a model of the size that you choose with random weights, trains a tokenizer on your data, then "
        "every weight.",
        target="lmcore.training.full:fit_full",
        options=options_of(TrainConfig, "scratch"),
        facts={"tasks": tasks_of("scratch"), "starts_from": "configuration"},
    ),
    Method(
        name="continual",
        title="Go on with new data",
        summary="Trains a registered version on further data and keeps what it knew: by rows of its earlier data that are "
        "learnt again, and by an anchor on its earlier answers or weights. New classes are added to the known ones.",
        target="lmcore.training.continual.method:fit_continual",
        options=options_of(TrainConfig, "continual"),
        facts={"tasks": tasks_of("continual"), "starts_from": "version"},
    ),
    Method(
        name="grpo",
        title="Reinforcement learning (GRPO)",
        summary="Lets a decoder write several texts from each prompt and makes those likelier that get more reward than the "
        "others; needs the extra `rl`.",
        target="lmcore.training.reinforcement.grpo:fit_policy",
        options=options_of(TrainConfig, "grpo"),
        facts={
            "tasks": tasks_of("grpo"),
            "starts_from": "weights",
            "package": "trl",
            "extra": "rl",
            "chooses_by": "reward",
        },
    ),
)

_KINDS = {
    "configuration": "has random weights",
    "weights": "has trained weights",
    "version": "is a registered version",
}
_NEEDS = {"configuration": "a configuration", "weights": "trained weights", "version": "a registered version"}


def check_method(method: str, task: str, model: str = "") -> None:
    """Refuse a way of training that is not for a task, or not for a model of this kind, or not installed.

    Raises:
        OptionError: it is not; the message lists those that are, or says how to install it.
    """
    facts = TRAINING[method].facts
    if task not in facts["tasks"]:
        fitting = TASKS[task].facts["methods"]
        raise OptionError(f"The method {method} does not train {task}: choose {', '.join(fitting) or 'another task'}.")
    if model and not starts_from(method, model):
        fitting = [name for name in TASKS[task].facts["methods"] if starts_from(name, model)]
        needs = _NEEDS[str(TRAINING[method].facts["starts_from"])]
        raise OptionError(
            f"{model} {_KINDS[_kind(model)]}, and the method {method} begins with {needs}: choose {', '.join(fitting)}."
        )
    if not is_installed(method):
        raise OptionError(
            f"The method {method} needs the package {facts['package']}: run pip install 'lmscope[{facts['extra']}]'."
        )


def is_installed(method: str) -> bool:
    """Say whether the package that a way of training needs is there."""
    package = TRAINING[method].facts.get("package")
    return package is None or importlib.util.find_spec(package) is not None


def check_workers(config: TrainConfig, workers: int) -> None:
    """Refuse a run that several processes cannot share.

    Raises:
        OptionError: the method runs in one process, or the batch size is no multiple of their number.
    """
    if workers > 1 and config.method not in FROM_LABELS:
        raise OptionError(
            f"The method {config.method} runs in one process: choose {', '.join(FROM_LABELS)} for {workers} workers."
        )
    Workers(size=workers).check_batch(config.batch_size)


def starts_from(method: str, model: str) -> bool:
    """Say whether a way of training begins with models of this kind.

    They come from a configuration, have trained weights, or are registered versions, which have trained weights too.
    """
    wanted = TRAINING[method].facts["starts_from"]
    return bool(wanted == _kind(model) or (wanted == "weights" and _kind(model) == "version"))


def _kind(model: str) -> str:
    if model.startswith("config:"):
        return "configuration"
    return "version" if model.startswith("models:/") else "weights"


def options_for(method: str, task: str) -> tuple[Option, ...]:
    """Return the settings of a way of training that mean something for a task."""
    from lmcore.tasks.classes import ClassTask

    weighted = isinstance(load_task(task), ClassTask)
    return tuple(o for o in TRAINING[method].options if weighted or o.name != "class_weights")
