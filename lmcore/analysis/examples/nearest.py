"""The rows whose vectors point most nearly the same way as a text's: exact search by cosine, block by block."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.examples.rows import ExampleRows, encode_rows, example_rows, input_frame
from lmcore.analysis.examples.vectors import layer_number, mean_vectors, vector_blocks
from lmcore.data.dataset import TextDataset
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.types import Input, Prediction, Report

MOST = 1000
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of a text.

    Attributes:
        rows: the nearest first: ``id``, ``text``, ``label``, ``similarity`` (cosine, -1 to 1), ``duplicate`` (whether it
            reads as the text does) and ``agrees`` (whether its label is the one that it is held against).
        label: what the labels are held against: the predicted one, else the row's own; empty where there is none.
        agreement: the share of the rows that agree, 0 to 1; not-a-number where there are no labels to hold against.
        prediction: what the model says of the text, or None for one without a head for the data's task.
        layer: whose vectors were compared.
        searched: how many rows were.
        data: where they are.
        parameters: the settings.
        fingerprint: hash of weights, data, text and settings.
    """

    rows: pd.DataFrame
    label: str
    agreement: float
    prediction: Prediction | None
    layer: int
    searched: int
    data: str
    parameters: Mapping[str, Any]
    fingerprint: str

    @property
    def duplicates(self) -> int:
        """How many of the rows read as the text does."""
        return int(self.rows["duplicate"].sum())

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows


def nearest_examples(
    loaded: LoadedModel,
    text: Input,
    data: TextDataset,
    *,
    layer: int = -1,
    k: int = 10,
    split: str = "train",
    row: int | None = None,
    stores: Path | None = None,
    report: Report | None = None,
) -> Neighbours:
    """Find the rows that a model represents most nearly as it does a text.

    Every row is compared: nothing is approximated. Vectors are the means of the tokens' vectors.

    Args:
        loaded: any model; one with a head for the data's task also says which label the neighbours should have.
        text: what they are held against.
        data: a data set.
        layer: whose vectors are compared: 0 for the embeddings up to the last one, -1.
        k: how many rows, 1 to 1000.
        split: which rows; of a data set that is not split, all.
        row: the text's own id, where it is a row itself: it is left out.
        stores: a folder where the rows' vectors are kept for the next text; None computes them anew.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, or no other row is there.
        OptionError: the model has no such layer, or ``k`` is out of range.
        DataError: there are no rows, or the text lacks a part that the task reads.
        Cancelled: the report asked to stop.
    """
    if not 1 <= k <= MOST:
        raise OptionError(f"The number of neighbours is {k}: give 1 to {MOST}.")
    layer = layer_number(loaded, layer)
    rows = example_rows(data, split)
    own = input_frame(rows.task, text)
    whole = rows.task.texts(own).iloc[0]
    if not whole.strip():
        raise InputError("The text is empty: give one to find neighbours of.")
    query = mean_vectors(loaded, encode_rows(loaded, rows.task, own), layer)[0]
    places, similarities = _nearest(loaded, rows, query, layer, k, row, stores, report)
    if not len(places):
        raise InputError(f"{rows.data} has no row but this one: choose another split or data set.")
    prediction = predict_texts(loaded, [text])[0] if loaded.task == rows.task.name else None
    label = _expected(prediction, rows, row)
    found = rows.described(places, whole).assign(similarity=similarities)
    found["agrees"] = (found["label"] == label) & (label != "")
    parameters = {"layer": layer, "k": k, "split": split, "row": row}
    return Neighbours(
        rows=found[["id", "text", "label", "similarity", "duplicate", "agrees"]],
        label=label,
        agreement=float(found["agrees"].mean()) if label and found["label"].any() else math.nan,
        prediction=prediction,
        layer=layer,
        searched=len(rows.frame) - int((rows.ids == row).sum() if row is not None else 0),
        data=rows.data,
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint, rows.fingerprint, whole, parameters),
    )


def _expected(prediction: Prediction | None, rows: ExampleRows, row: int | None) -> str:
    """Return the label that the neighbours should have: what the model says, else the row's own; empty where there is none."""
    if prediction and prediction.label:
        return prediction.label
    return "" if row is None else next((str(cell) for cell in rows.labels[rows.ids == row]), "")


def top_cosines(
    query: np.ndarray, block: np.ndarray, start: int, k: int, best: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` rows of highest cosine among those known and those of a block.

    Args:
        query: the vector, shape (features,).
        block: the rows' vectors, shape (rows, features).
        start: the first row's place.
        k: how many.
        best: places and cosines that are known, as this function returns them.

    Returns:
        Places and cosines, the highest first; of equal ones the row that comes first.
    """
    vectors = block.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * float(np.linalg.norm(query.astype(np.float64)))
    cosines = vectors @ query.astype(np.float64) / np.maximum(lengths, _TINY)
    places = np.concatenate([best[0], start + np.arange(len(block))])
    values = np.concatenate([best[1], cosines])
    order = np.lexsort((places, -values))[:k]
    return places[order], values[order]


def _nearest(
    loaded: LoadedModel,
    rows: ExampleRows,
    query: np.ndarray,
    layer: int,
    k: int,
    row: int | None,
    stores: Path | None,
    report: Report | None,
) -> tuple[np.ndarray, np.ndarray]:
    best = np.zeros(0, dtype=np.int64), np.zeros(0)
    for start, block in vector_blocks(loaded, rows, layer, stores=stores, report=report):
        best = top_cosines(query, block, start, k + 1, best)
    others = rows.ids[best[0]] != (-1 if row is None else row)
    return best[0][others][:k], best[1][others][:k]
