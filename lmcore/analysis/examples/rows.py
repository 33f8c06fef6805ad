"""The rows that a text is held against, and how a model reads them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.text import comparison_key
from lmcore.errors import DataError
from lmcore.models.encode import Encodings, encode_texts
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Input

SHOWN_CHARACTERS = 2000


@dataclass(frozen=True, eq=False)
class ExampleRows:
    """Rows with something to read, in the order of their data set.

    Attributes:
        task: the data set's.
        frame: the rows.
        data: what they are called, such as ``feedback-en@3:train``.
        fingerprint: of the data set that they are of.
    """

    task: Task
    frame: pd.DataFrame
    data: str
    fingerprint: str

    @property
    def ids(self) -> np.ndarray:
        """The rows' ids, int64 of shape (rows,)."""
        found: np.ndarray = self.frame["id"].to_numpy(dtype=np.int64)
        return found

    @property
    def labels(self) -> pd.Series:
        """Each row's label as its cell has it; empty texts where the task has none."""
        name = next((column.name for column in self.task.columns if column.role == "label"), "")
        if name in self.frame.columns:
            return self.frame[name]
        return pd.Series("", index=self.frame.index, dtype="str")

    @property
    def texts(self) -> pd.Series:
        """What a model reads of each row, as one text."""
        return self.task.texts(self.frame)

    def described(self, places: np.ndarray, text: str) -> pd.DataFrame:
        """Return rows for people: ``id``, ``text``, ``label`` and ``duplicate``, whether a row reads as ``text`` does.

        Args:
            places: where the rows stand, counted from 0.
            text: that they are held against; letter case and white space do not count.
        """
        own = comparison_key(text)
        texts = self.texts.iloc[places]
        return pd.DataFrame(
            {
                "id": self.ids[places],
                "text": [item[:SHOWN_CHARACTERS] for item in texts],
                "label": self.labels.iloc[places].to_numpy(),
                "duplicate": [comparison_key(item) == own for item in texts],
            }
        )


def example_rows(data: TextDataset, split: str = "train") -> ExampleRows:
    """Return the rows of one split with something to read; of a data set that is not split, and of a part, all.

    Raises:
        DataError: there is no row with a text.
    """
    chosen = data.part(split) if split and data.is_split and not (data.ref and data.ref.split) else data
    task = load_task(chosen.task)
    frame = chosen.frame[task.texts(chosen.frame).str.strip() != ""].reset_index(drop=True)
    if frame.empty:
        raise DataError(f"{chosen.called} has no row with a text: choose another split or data set.")
    return ExampleRows(task, frame, str(chosen.ref or chosen.name), chosen.fingerprint)


def input_frame(task: Task, text: Input) -> pd.DataFrame:
    """Return an input as the one row of a frame with the columns that a task reads.

    Raises:
        DataError: the input lacks one of them.
    """
    needed = task.required()
    cells = {needed[0]: text} if isinstance(text, str) else dict(text)
    missing = [name for name in needed if name not in cells]
    if missing:
        raise DataError(f"The input has no {missing[0]}: give {' and '.join(needed)}.")
    return pd.DataFrame({"id": [0], **{name: pd.Series([value], dtype="str") for name, value in cells.items()}})


def encode_rows(loaded: LoadedModel, task: Task, frame: pd.DataFrame) -> Encodings:
    """Return the rows as a model of the same task reads them, and for another one as plain texts."""
    if loaded.task == task.name:
        encodings = task.encode(loaded.tokenizer, frame, loaded.max_length)
        if encodings.rows is None and len(encodings) == len(frame):
            return encodings
    return encode_texts(loaded.tokenizer, task.texts(frame).tolist(), loaded.max_length)
