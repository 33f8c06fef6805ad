"""What a row teaches a model, for asking which rows an answer hangs on."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lmcore.errors import InputError
from lmcore.types import Prediction

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel


class Teaching(ABC):
    """The part of a task that says what is learnt from a row, and what a model said of a text as if it were a row.

    The loss is always the model's own, with which it is trained; a row's loss is that of a batch with this row alone.

    Attributes:
        title: what a page shows.
        learns: whether there is anything to be learnt from rows.
        loss_ignores_padding: whether a row's loss is the same in a batch with longer ones.
    """

    title: ClassVar[str]
    learns: ClassVar[bool] = True
    loss_ignores_padding: ClassVar[bool] = True

    @abstractmethod
    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Turn rows into token ids; where ``labels`` are given, with what is to be learnt."""

    @abstractmethod
    def outputs(self) -> list[str]:
        """Return the columns with what the model should find or write."""

    def encode_learnt(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> "Encodings":
        """Encode rows with what a model learns of them, the same each time.

        Raises:
            DataError: a row has a label that the model does not know.
        """
        return self.encode(loaded.tokenizer, frame, loaded.max_length, loaded.labels)

    def encode_taught(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "Encodings":
        """Encode one row as if what a model said of it, or another answer, were to be learnt.

        Args:
            loaded: the model.
            frame: the row, as it is asked.
            said: what the model says of it.
            answer: another answer, written as the data has it; ``said`` where empty.

        Raises:
            InputError: the task learns from no rows, or there is no such answer.
            DataError: the model does not know the answer.
        """
        return self.encode_learnt(loaded, self.answered(loaded, frame, said, answer))

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with an answer in the column that is learnt; see `encode_taught`.

        Raises:
            InputError: the task learns from no rows, or there is no such answer.
        """
        raise self.nothing_learnt()

    def answer_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the answers that `encode_taught` takes, by a model's labels; none where any text may be one."""
        return ()

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> "np.ndarray":
        """Return over how many things the loss of each last linear layer is a mean, int64 of shape (windows, layers).

        Args:
            loaded: the model; the layers are its last ones, in their order, of a language model the output embedding.
            encodings: made by `encode_learnt` or `encode_taught`.

        Raises:
            InputError: the task learns from no rows.
        """
        raise self.nothing_learnt()

    def written_answers(self, frame: "pd.DataFrame") -> list[str]:
        """Return what is learnt of each row, for people; empty texts where that is the text itself."""
        names = [name for name in self.outputs() if name in frame.columns]
        return frame[names[0]].tolist() if names else [""] * len(frame)

    def written_answer(self, frame: "pd.DataFrame", said: Prediction) -> str:
        """Return what a model said of one row, for people, as `written_answers` writes what is learnt."""
        return said.text or said.label

    def nothing_learnt(self) -> InputError:
        """Return the error of a task that learns from no rows."""
        return InputError(
            f"{self.title} learns nothing from rows, so that no row has an influence: choose a version of another task."
        )


def one_lesson(encodings: "Encodings") -> "np.ndarray":
    """Return the lessons where each window teaches its one layer one thing."""
    import numpy as np

    return np.ones((len(encodings), 1), dtype=np.int64)


def token_lessons(encodings: "Encodings", *, shifted: bool = False) -> "np.ndarray":
    """Return how many tokens of each window are learnt, shape (windows, 1).

    Args:
        encodings: windows whose ``labels`` have a number for each token, -100 for those that are not learnt.
        shifted: whether a model shifts the labels by itself, and so never learns the first.
    """
    import numpy as np

    from lmcore.models.encode import IGNORED

    counts = [sum(label != IGNORED for label in labels[int(shifted) :]) for labels in encodings.fields["labels"]]
    return np.array(counts, dtype=np.int64).reshape(-1, 1)
