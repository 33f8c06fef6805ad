"""What tasks share whose models have one output for each label of a fixed set."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import OptionError, UnknownError
from lmcore.tasks.base import Task
from lmcore.tasks.teaching import one_lesson
from lmcore.types import Prediction, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.linear import LinearFit
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.outcomes import Outcomes


class LabelTask(Task):
    """A task whose model gives each row one logit for each label; the labels stand in the column ``label``.

    Attributes:
        exclusive: whether a row has exactly one label, so that the probabilities sum to 1.
    """

    mean_pooled = True
    exclusive: ClassVar[bool] = True

    def model_class(self) -> Any:
        """Return transformers' sequence-classification auto class."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    @abstractmethod
    def gold(self, frame: "pd.DataFrame", labels: Sequence[str]) -> np.ndarray:
        """Return what the rows say, as numbers.

        Raises:
            DataError: a row has a label that is not among ``labels``.
        """

    @abstractmethod
    def fit_linear(self, x: np.ndarray, gold: np.ndarray, *, seed: int, strength: float) -> "LinearFit":
        """Fit a linear classifier on vectors (rows, features); ``strength`` is the inverse of the penalty's."""

    @abstractmethod
    def judge(self, logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
        """Return the task's dev figure as ``dev_…`` and the mean cross-entropy ``dev_loss`` in nats."""

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with a label."""
        return frame.assign(label=answer or said.label)

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return one for each row: its label, or the mean over all of them."""
        return one_lesson(encodings)

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return the target label's logit, less the logit of the label it is held against.

        Raises:
            UnknownError: the model has no such label.
        """
        return label_logits(out.logits, target, loaded.labels)

    def rivals(self, loaded: "LoadedModel", target: Target) -> tuple[str, ...]:
        """Return every label where a row has exactly one."""
        return loaded.labels if self.exclusive else ()

    def outcomes(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "Outcomes":
        """Return the labels of the whole text.

        Raises:
            UnknownError: the model has no such label.
        """
        from lmcore.tasks.outcomes import whole_text

        return whole_text(out.logits, loaded.labels, target.label, exclusive=self.exclusive)


def label_logits(logits: "torch.Tensor", target: Target, labels: Sequence[str]) -> "torch.Tensor":
    """Return a label's logit, less the logit of the one it is held against.

    Args:
        logits: shape (..., labels).
        target: names both.
        labels: in the order of the logits.

    Raises:
        UnknownError: one of them is not among the labels.
    """
    for label in (target.label, target.against):
        if (label and label not in labels) or not target.label:
            raise UnknownError("class", label, labels)
    value = logits[..., labels.index(target.label)]
    return value - logits[..., labels.index(target.against)] if target.against else value


def label_task(task: Task) -> LabelTask:
    """Return the task as one whose model has an output for each label.

    Raises:
        OptionError: it is none.
    """
    if not isinstance(task, LabelTask):
        raise OptionError(f"This needs a task that gives rows labels, and {task.name} does not: choose another.")
    return task
