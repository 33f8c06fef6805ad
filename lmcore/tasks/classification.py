"""Text classification: one class for each text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import DataError, UnknownError
from lmcore.tasks.base import Column, Scores, Task
from lmcore.types import Prediction, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings


class TextClassification(Task):
    """One class out of a fixed set for each text."""

    name = "text-classification"
    title = "Text classification"
    main_metric = "f1_macro"
    columns = (
        Column(
            "text",
            "the text to classify",
            ("text", "sentence", "review", "content", "comment", "message", "feedback", "文本", "内容", "评论"),
        ),
        Column(
            "label",
            "its class",
            ("label", "labels", "class", "category", "sentiment", "intent", "topic", "target", "标签", "类别"),
        ),
    )

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct classes, sorted."""
        return tuple(sorted(str(label) for label in frame["label"].unique() if label))

    def check(self, frame: "pd.DataFrame", what: str) -> None:
        """Refuse rows without text or label, and fewer than two classes.

        Raises:
            DataError: naming the first bad row, or the only class.
        """
        if frame.empty:
            raise DataError(f"{what} has no rows: choose another split or data set.")
        for name, column in (("text", frame["text"].str.strip()), ("label", frame["label"])):
            empty = frame.index[column == ""]
            if len(empty):
                row = int(frame.loc[empty[0], "id"]) + 1
                raise DataError(
                    f"{what} has {len(empty)} rows without a {name}, the first is row {row}: clean the data set first."
                )
        classes = self.labels(frame)
        if len(classes) < 2:
            raise DataError(f"{what} has only the class {classes[0]!r}: a classifier needs at least two.")

    def model_class(self) -> Any:
        """Return transformers' sequence-classification auto class."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def encode(self, tokenizer: Any, frame: "pd.DataFrame", max_length: int) -> "Encodings":
        """Encode the text column."""
        from lmcore.models.encode import encode_texts

        return encode_texts(tokenizer, frame["text"].tolist(), max_length)

    def gold(self, frame: "pd.DataFrame", labels: Sequence[str]) -> np.ndarray:
        """Return class indices, int64 of shape (rows,).

        Raises:
            DataError: a row has a class that is not among ``labels``.
        """
        index = {label: number for number, label in enumerate(labels)}
        for row, label in zip(frame["id"], frame["label"], strict=True):
            if label not in index:
                raise DataError(
                    f"Row {int(row) + 1} has the class {label!r}, which the model does not know; it knows: "
                    f"{', '.join(labels)}."
                )
        return np.array([index[label] for label in frame["label"]], dtype=np.int64)

    def read(self, logits: np.ndarray, ids: Sequence[int], labels: Sequence[str]) -> list[Prediction]:
        """Turn logits (rows, classes) into the most probable class with all probabilities."""
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        best = probabilities.argmax(axis=1)
        return [
            Prediction(
                id=int(row),
                label=labels[k],
                score=float(p[k]),
                probabilities=dict(zip(labels, p.tolist(), strict=True)),
            )
            for row, k, p in zip(ids, best, probabilities, strict=True)
        ]

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return accuracy, macro and per-class precision, recall and F1 with intervals, and the confusion matrix."""
        from lmcore.tasks.metrics import score_classes

        index = {label: number for number, label in enumerate(labels)}
        predicted = np.array([index[p.label] for p in predictions], dtype=np.int64)
        return score_classes(self.gold(frame, labels), predicted, labels, seed=seed)

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return every class, the predicted one first, then the predicted one against each other class."""
        ranked = sorted(prediction.probabilities, key=lambda c: -prediction.probabilities[c])
        alone = [Target("class", label) for label in ranked]
        return alone + [Target("class", ranked[0], against=other) for other in ranked[1:]]

    def objective(self, logits: "torch.Tensor", target: Target, labels: Sequence[str]) -> "torch.Tensor":
        """Return the target class's logit, less the logit of the class it is held against.

        Raises:
            UnknownError: the model has no such class.
        """
        for label in (target.label, target.against):
            if (label and label not in labels) or not target.label:
                raise UnknownError("class", label, labels)
        value = logits[:, labels.index(target.label)]
        return value - logits[:, labels.index(target.against)] if target.against else value
