"""Running a model over texts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lmcore.models.encode import Encodings, length_sorted_batches, pad_batch
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Prediction, Report, Silent

BATCH_SIZE = 32


def predict_logits(
    loaded: LoadedModel, encodings: Encodings, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> np.ndarray:
    """Return the raw outputs, float32 of shape (texts, classes), in the order of the encodings.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    report = report or Silent()
    logits = np.empty((len(encodings), len(loaded.labels)), dtype=np.float32)
    done = 0
    for rows in length_sorted_batches(encodings.lengths, batch_size):
        report.check()
        batch = pad_batch(loaded.tokenizer, [encodings.ids[r] for r in rows], loaded.device)
        with torch.inference_mode():
            logits[rows] = loaded.model(**batch).logits.float().cpu().numpy()
        done += len(rows)
        report.progress(done / len(encodings), f"{done} of {len(encodings)} texts predicted")
    return logits


def predict_rows(
    loaded: LoadedModel, frame: pd.DataFrame, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> list[Prediction]:
    """Predict the rows of a data set's frame (``id`` and the task's columns), in their order."""
    task = load_task(loaded.task)
    encodings = task.encode(loaded.tokenizer, frame, loaded.max_length)
    logits = predict_logits(loaded, encodings, batch_size=batch_size, report=report)
    return task.read(logits, frame["id"].tolist(), loaded.labels)


def predict_texts(loaded: LoadedModel, texts: Sequence[str]) -> list[Prediction]:
    """Predict plain texts; the ids are their positions."""
    return predict_rows(loaded, pd.DataFrame({"id": np.arange(len(texts)), "text": list(texts)}))
