"""What every task answers, so that training, analysis and serving need no branch by task name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lmcore.types import Prediction, Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a task reads: its canonical name and the names it often has in files."""

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, eq=False)
class Scores:
    """How good predictions are.

    Attributes:
        metrics: name to value.
        intervals: name to the lower and upper end of its 95 % bootstrap interval.
        tables: further frames by name (``by_class``, ``confusion`` …).
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    tables: "Mapping[str, pd.DataFrame]"


class Task(ABC):
    """One language task; stateless."""

    name: ClassVar[str]
    title: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    main_metric: ClassVar[str]

    @abstractmethod
    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct labels of the rows, sorted; empty labels are passed over."""

    @abstractmethod
    def check(self, frame: "pd.DataFrame", what: str) -> None:
        """Refuse rows that cannot be trained on.

        Raises:
            DataError: with a sentence that says what is missing in ``what``.
        """

    @abstractmethod
    def model_class(self) -> Any:
        """Return the transformers auto class that loads a model for this task."""

    @abstractmethod
    def encode(self, tokenizer: Any, frame: "pd.DataFrame", max_length: int) -> "Encodings":
        """Turn rows into token ids; says which rows were cut and how many tokens were unknown."""

    @abstractmethod
    def gold(self, frame: "pd.DataFrame", labels: Sequence[str]) -> "np.ndarray":
        """Return the rows' training labels as integers into ``labels``."""

    @abstractmethod
    def read(self, logits: "np.ndarray", ids: Sequence[int], labels: Sequence[str]) -> list[Prediction]:
        """Turn raw outputs into predictions."""

    @abstractmethod
    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Compare predictions with the rows' own labels."""

    @abstractmethod
    def targets(self, prediction: Prediction) -> list[Target]:
        """Return what can be explained about a prediction, the most natural first."""

    @abstractmethod
    def objective(self, logits: "torch.Tensor", target: Target, labels: Sequence[str]) -> "torch.Tensor":
        """Return the scalar to explain for each row of a batch, shape (batch,), in logits."""
