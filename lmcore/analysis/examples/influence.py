"""The training rows that an answer hangs on: TracIn on the last layer (Pruthi et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.counterfactual.answers import said
from lmcore.analysis.examples.last_layer import check_query_room, last_layer_factors
from lmcore.analysis.examples.products import TextGradient
from lmcore.analysis.examples.rows import ExampleRows, example_rows, input_frame
from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.types import Input, Part, Prediction, Report, Silent

MOST = 1000


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of one moment of a training.

    Attributes:
        loaded: the model as it was then.
        learning_rate: of the steps around it; above 0.
    """

    loaded: LoadedModel
    learning_rate: float = 1.0


@dataclass(frozen=True, eq=False)
class Influences:
    """The rows that an answer hangs on most.

    Attributes:
        rows: the strongest first: ``id``, ``text``, ``label`` (what is learnt of the row; empty where that is its text),
            ``influence`` (above 0 where learning the row makes the answer more probable, below 0 where less; in units of loss),
            ``duplicate`` and ``helps``.
        label: the answer that it is about, in a few words.
        prediction: what the model says of the text.
        method: what was computed, in a sentence.
        checkpoints: of how many moments of the training.
        searched: how many rows were looked at.
        data: where they are.
        parameters: the settings.
        fingerprint: hash of all weights, data, text and settings.
    """

    rows: pd.DataFrame
    label: str
    prediction: Prediction
    method: str
    checkpoints: int
    searched: int
    data: str
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows


def influential_examples(
    loaded: LoadedModel,
    text: Input,
    data: TextDataset,
    *,
    label: str = "",
    k: int = 10,
    split: str = "train",
    row: int | None = None,
    checkpoints: Sequence[Checkpoint] = (),
    report: Report | None = None,
) -> Influences:
    """Find the training rows that made a model say what it says of a text, and those that spoke against it.

    The influence of a row is the sum over the checkpoints of learning rate × the dot product of two gradients with respect to
    the last layer: that of the row's loss and that of the text's loss if the answer were to be learnt. The last layer is what
    makes the outputs: of labels, tags, the ends of an answer, or (the output embedding) of tokens; two add up. A row's loss is
    that of a training batch with this row alone. With the final weights alone it is TracInLast of one checkpoint, whose size
    says nothing and whose order and sign do.

    Args:
        loaded: a version of a task that learns from rows.
        text: what it says something of.
        data: what it was trained on.
        label: the answer, written as the data has it (a label, a tag for each word, a stretch of the context or
            ``no answer``, a text; of slot filling an intent); what the model says where empty.
        k: how many rows of each sign, 1 to 1000.
        split: which rows; of a data set that is not split, all.
        row: the text's own id, where it is a row itself: it is left out.
        checkpoints: moments of its training, with the same labels; the final weights alone where empty.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, the task learns from no rows, the model's last layer cannot be seen, or there is no
            such answer.
        OptionError: ``k`` is out of range, or a checkpoint is of another model.
        DataError: the data is for another task, has no labelled row, or one with a label that the model does not know.
        ResourceError: it would not fit into the memory that is free; the message has the figures.
        Cancelled: the report asked to stop.
    """
    report, moments = report or Silent(), tuple(checkpoints) or (Checkpoint(loaded),)
    _check(loaded, data, k, moments)
    rows = _labelled(example_rows(data, split))
    own = input_frame(rows.task, text)
    whole = rows.task.texts(own).iloc[0]
    if not whole.strip():
        raise InputError("The text is empty: give one to explain.")
    prediction = predict_texts(loaded, [text])[0]
    asked = _Asked(rows.task.encode_learnt(loaded, rows.frame), rows.task.encode_taught(loaded, own, prediction, label))
    scores = np.zeros(len(rows.frame))
    for number, moment in enumerate(moments):
        part = Part(report, number / len(moments), (number + 1) / len(moments))
        scores += moment.learning_rate * _products(moment.loaded, rows.task, asked, part)
    strongest = _strongest(scores, rows.ids != (-1 if row is None else row), k)
    found = rows.described(strongest, whole).assign(influence=scores[strongest])
    found["helps"] = found["influence"] > 0
    found["label"] = rows.task.written_answers(rows.frame.iloc[strongest])
    rates = [moment.learning_rate for moment in moments]
    parameters = {"label": label, "k": k, "split": split, "row": row, "learning_rates": rates}
    weights = [moment.loaded.fingerprint for moment in moments]
    return Influences(
        rows=found[["id", "text", "label", "influence", "helps", "duplicate"]],
        label=label or said(prediction),
        prediction=prediction,
        method=_method(len(moments) if checkpoints else 0),
        checkpoints=len(moments),
        searched=len(rows.frame) - int((rows.ids == row).sum() if row is not None else 0),
        data=rows.data,
        parameters=parameters,
        fingerprint=fingerprint(weights, rows.fingerprint, whole, parameters),
    )


def _check(loaded: LoadedModel, data: TextDataset, k: int, moments: Sequence[Checkpoint]) -> None:
    if not 1 <= k <= MOST:
        raise OptionError(f"The number of rows is {k}: give 1 to {MOST}.")
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: choose a registered version.")
    task = load_task(loaded.task)
    if not task.learns:
        raise task.nothing_learnt()
    if data.task != loaded.task:
        raise DataError(
            f"{data.called} is for {data.task} and {loaded.ref} does {loaded.task}: take the data of its training."
        )
    for moment in moments:
        if (moment.loaded.task, moment.loaded.labels) != (loaded.task, loaded.labels):
            raise OptionError(
                f"{moment.loaded.ref} is no checkpoint of {loaded.ref}: it has another task or other labels."
            )
        if len(moment.loaded.tokenizer) != len(loaded.tokenizer):
            raise OptionError(f"{moment.loaded.ref} is no checkpoint of {loaded.ref}: it has other tokens.")
        if not moment.learning_rate > 0:
            raise OptionError(f"The learning rate is {moment.learning_rate}: give a number above 0.")


def _labelled(rows: ExampleRows) -> ExampleRows:
    needed = [column.name for column in rows.task.columns if column.required and column.role != "text"]
    filled = np.ones(len(rows.frame), dtype=bool)
    for name in needed:
        filled &= (rows.frame[name].str.strip() != "").to_numpy() if name in rows.frame.columns else False
    if not filled.any():
        raise DataError(f"{rows.data} has no row with a label: label some, or choose another split.")
    return ExampleRows(rows.task, rows.frame[filled].reset_index(drop=True), rows.data, rows.fingerprint)


@dataclass(frozen=True, eq=False)
class _Asked:
    """The rows with what is learnt of them, and the text with the answer that is asked about."""

    rows: Encodings
    text: Encodings


def _products(loaded: LoadedModel, task: Task, asked: _Asked, report: Report) -> np.ndarray:
    check_query_room(loaded, task, asked.text)
    gradient = TextGradient.of(list(last_layer_factors(loaded, task, asked.text)))
    found = np.zeros(int(asked.rows.owners.max()) + 1)
    for batch in last_layer_factors(loaded, task, asked.rows, report=report):
        np.add.at(found, batch.rows, gradient.products(batch))
    return found


def _strongest(scores: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the ``k`` rows that help most and of the ``k`` that hurt most, by their strength."""
    order = np.argsort(-scores, kind="stable")
    order = order[others[order]]
    helping, hurting = order[scores[order] > 0][:k], order[::-1][scores[order[::-1]] < 0][:k]
    both = np.concatenate([helping, hurting])
    return both[np.argsort(-np.abs(scores[both]), kind="stable")]


def _method(checkpoints: int) -> str:
    if not checkpoints:
        return (
            "TracIn on the last layer, from the final weights alone (one checkpoint): order and sign say something, size does "
            "not."
        )
    return f"TracIn on the last layer, summed over {checkpoints} checkpoint{'s' * (checkpoints > 1)}."
