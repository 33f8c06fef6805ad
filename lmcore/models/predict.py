"""Running a model over texts."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lmcore.models.encode import Encodings, batch_of, length_sorted_batches
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Input, Prediction, Report, Silent

BATCH_SIZE = 32


def forward_batches(
    loaded: LoadedModel, encodings: Encodings, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> Iterator[tuple[np.ndarray, Any]]:
    """Run the model over windows in batches of like length; yields the windows' numbers and the model's output.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    report = report or Silent()
    done = 0
    for rows in length_sorted_batches(encodings.lengths, batch_size):
        report.check()
        batch = batch_of(loaded.tokenizer, encodings, rows.tolist(), loaded.device, labels=False)
        with torch.inference_mode():
            out = loaded.model(**batch)
        yield rows, out
        done += len(rows)
        report.progress(done / len(encodings), f"{done} of {len(encodings)} texts predicted")


def predict_logits(
    loaded: LoadedModel, encodings: Encodings, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> np.ndarray:
    """Return the raw outputs, float32 of shape (texts, classes), in the order of the encodings.

    Raises:
        Cancelled: the report asked to stop.
    """
    logits = np.empty((len(encodings), len(loaded.labels)), dtype=np.float32)
    for rows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
        logits[rows] = out.logits.float().cpu().numpy()
    return logits


def predict_token_outputs(
    loaded: LoadedModel,
    encodings: Encodings,
    names: Sequence[str] = ("logits",),
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> dict[str, list[np.ndarray]]:
    """Return outputs that have a row for each token, cut to each window's own tokens.

    Args:
        loaded: the model.
        encodings: the windows.
        names: which of the model's outputs, such as ``logits`` or ``start_logits``.
        batch_size: windows in one pass.
        report: progress and cancellation.

    Returns:
        For each name one float32 array a window, of shape (tokens, …), in the order of the encodings.

    Raises:
        Cancelled: the report asked to stop.
    """
    found: dict[str, list[np.ndarray]] = {name: [np.empty(0)] * len(encodings) for name in names}
    for rows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
        for name in names:
            values = out[name].float().cpu().numpy()
            for place, row in enumerate(rows):
                found[name][row] = values[place, : len(encodings.ids[row])]
    return found


def predict_rows(
    loaded: LoadedModel, frame: pd.DataFrame, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> list[Prediction]:
    """Predict the rows of a data set's frame (``id`` and the task's columns), in their order."""
    return load_task(loaded.task).predict(loaded, frame, batch_size=batch_size, report=report).predictions


def predict_texts(loaded: LoadedModel, texts: Sequence[Input], *, report: Report | None = None) -> list[Prediction]:
    """Predict inputs; the ids are their positions.

    Args:
        loaded: a model with a task's head.
        texts: plain texts for a task that reads one column, or a mapping from each of its columns to a text.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    names = load_task(loaded.task).required()
    rows = [{names[0]: item} if isinstance(item, str) else dict(item) for item in texts]
    columns = list(dict.fromkeys([*names, *(name for row in rows for name in row)]))
    frame = pd.DataFrame({name: pd.Series([row.get(name, "") for row in rows], dtype="str") for name in columns})
    frame.insert(0, "id", np.arange(len(rows)))
    return predict_rows(loaded, frame, report=report)
