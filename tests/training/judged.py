"""Evaluations made up for the tests of comparing, calibrating and slicing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lmcore.tasks.metrics import score_classes
from lmcore.training.evaluation import Evaluation

LABELS = ("bad", "fair", "good")


def evaluation(
    gold: np.ndarray,
    p: np.ndarray,
    *,
    version: str = "models:/made/1",
    data: str = "made@1:test",
    labels: Sequence[str] = LABELS,
    texts: Sequence[str] | None = None,
    **tables: Any,
) -> Evaluation:
    """Return an evaluation of class probabilities (rows, classes)."""
    predicted = p.argmax(axis=1)
    scores = score_classes(gold, predicted, labels)
    names = np.array(labels)
    frame = pd.DataFrame(
        {
            "id": np.arange(len(gold)),
            "text": list(texts) if texts is not None else [f"text {i}" for i in range(len(gold))],
            "gold": names[gold],
            "label": names[predicted],
            "score": p.max(axis=1),
            "correct": gold == predicted,
            **{f"p:{label}": p[:, k] for k, label in enumerate(labels)},
        }
    )
    facts = {"rows": len(gold), "split": "test", "seed": 0, "unknown_share": 0.0, "truncated_share": 0.25}
    return Evaluation(
        f"kept-{version[-1]}", version, data, "text-classification",
        scores.metrics, scores.intervals, frame, {**scores.tables, **tables}, facts,
    )  # fmt: skip


def calibrated(
    rows: int, *, classes: int = 3, temperature: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return classes drawn from probabilities, and those sharpened by a temperature (1 leaves them exact)."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(rows, classes))
    exact = softmax(logits)
    gold = (exact.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=classes - 1)
    return gold, softmax(logits / temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def noisy(gold: np.ndarray, right: float, *, seed: int = 0, classes: int = 3) -> np.ndarray:
    """Return probabilities whose best class is right in about a share of the rows."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(gold)) < right, gold, (gold + 1) % classes)
    return softmax(2 * np.eye(classes)[said] + 0.1 * rng.random((len(gold), classes)))
