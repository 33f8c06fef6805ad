"""What suits a data set where a user has not chosen: the model, the way of training and its settings."""

from typing import Any

from lmcore.data.dataset import TextDataset
from lmcore.data.text import mostly_chinese
from lmcore.errors import OptionError
from lmcore.tasks import TASKS, load_task
from lmcore.training.config import TrainConfig
from lmcore.training.methods import is_installed, starts_from
from lmcore.types import ModelRef


def fitting_methods(task: str, model: str) -> list[str]:
    """Return the ways of training that go with a task and a model and are installed, the most natural first."""
    return [name for name in TASKS[task].facts["methods"] if starts_from(name, model) and is_installed(name)]


def default_settings(task: str, method: str) -> dict[str, Any]:
    """Return the settings that differ from the general defaults: those of the task, of adapters, of random weights,
    of rewards.
    """
    usual: dict[str, Any] = TASKS[task].facts.get("settings", {})
    if method in {"full", "continual"}:
        return usual
    if method == "lora":
        return usual | {"learning_rate": max(2e-4, usual.get("learning_rate", 0.0))}
    if method == "scratch":
        return {"learning_rate": 5e-4, "epochs": max(10, usual.get("epochs", 0))}
    if method == "grpo":
        return {"learning_rate": 1e-5, "epochs": 1}
    return {}


def default_config(data: TextDataset, *, model: str = "", method: str = "") -> TrainConfig:
    """Return what suits a data set: its task's model for Chinese or for other text, and the first method that fits.

    Args:
        data: any data set.
        model: a model that is chosen already, in text form.
        method: a way of training that is chosen already.

    Raises:
        OptionError: no way of training goes with the task and the model.
    """
    task = load_task(data.task)
    if not model:
        language = "zh" if mostly_chinese(task.texts(data.frame)) else "en"
        model = TASKS[task.name].facts["models"][language]
    fitting = fitting_methods(task.name, model)
    if not method and not fitting:
        raise OptionError(
            f"Nothing trains {model} for {task.name}: a task without training is measured with a base model."
        )
    method = method or fitting[0]
    settings = default_settings(task.name, method)
    name = ModelRef.parse(model).name if method == "continual" else data.name
    return TrainConfig(name=name, task=task.name, model=model, method=method, **settings)
