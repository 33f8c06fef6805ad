"""What tasks share that give each row exactly one class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lmcore.errors import DataError, OptionError
from lmcore.tasks.base import Task
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.labelled import LabelTask
from lmcore.tasks.predicted import Predicted, row_number
from lmcore.types import Prediction, Report, Target

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.linear import LinearFit
    from lmcore.models.load import LoadedModel
    from lmcore.tasks.tally import Tally


class ClassTask(LabelTask):
    """One class out of a fixed set for each row; the class stands in the column ``label``."""

    main_metric = "f1_macro"
    dev_metric = "accuracy"
    tfidf_title: ClassVar[str] = "TF-IDF + logistic regression"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("accuracy", "Accuracy"),
        Metric("precision_macro", "Macro precision"),
        Metric("recall_macro", "Macro recall"),
        Metric("f1_macro", "Macro F1"),
    )

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct classes, sorted."""
        return tuple(sorted(str(label) for label in frame["label"].unique() if label))

    def answer_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the classes."""
        return tuple(labels)

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse fewer than two classes where there is no model yet, and else classes that the model does not know."""
        if labels is not None:
            self._refuse_new_classes(frame, what, labels)
            return
        classes = self.labels(frame)
        if len(classes) < 2:
            raise DataError(f"{what} has only the class {classes[0]!r}: a classifier needs at least two.")

    def _refuse_new_classes(self, frame: "pd.DataFrame", what: str, labels: Sequence[str]) -> None:
        new = ~frame["label"].isin(labels)
        if new.any():
            first = frame[new].iloc[0]
            raise DataError(
                f"{what} has the class {first['label']!r}, which the model does not know; it knows: {', '.join(labels)}. It "
                f"stands in row {int(first['id']) + 1}: split the data again so that train has every class, or drop it."
            )

    def gold(self, frame: "pd.DataFrame", labels: Sequence[str]) -> np.ndarray:
        """Return class indices, int64 of shape (rows,).

        Raises:
            DataError: a row has a class that is not among ``labels``.
        """
        index = {label: number for number, label in enumerate(labels)}
        for position, label in enumerate(frame["label"]):
            if label not in index:
                raise DataError(
                    f"Row {row_number(frame, position)} has the class {label!r}, which the model does not know; it knows: "
                    f"{', '.join(labels)}."
                )
        return np.array([index[label] for label in frame["label"]], dtype=np.int64)

    def fit_linear(self, x: np.ndarray, gold: np.ndarray, *, seed: int, strength: float) -> "LinearFit":
        """Fit a logistic regression, multinomial for more than two classes."""
        from lmcore.models.linear import fit_linear

        return fit_linear(x, gold, seed=seed, C=strength)

    def judge(self, logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
        """Return accuracy and mean cross-entropy in nats."""
        from scipy.special import log_softmax

        loss = -log_softmax(logits, axis=1)[np.arange(len(gold)), gold].mean()
        return {"dev_accuracy": float((logits.argmax(axis=1) == gold).mean()), "dev_loss": float(loss)}

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

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Run the model once over each row and take its most probable class."""
        from lmcore.models.predict import predict_logits

        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        logits = predict_logits(loaded, encodings, batch_size=batch_size, report=report) / loaded.temperature
        return Predicted(self.read(logits, frame["id"].tolist(), loaded.labels), encodings)

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return accuracy, and macro precision, recall and F1."""
        from lmcore.tasks.metrics import measure_classes

        return measure_classes(self.gold(frame, labels), class_indices(predictions, labels), labels)

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return accuracy, macro and per-class precision, recall and F1 with intervals, and the confusion matrix."""
        from lmcore.tasks.metrics import score_classes

        return score_classes(self.gold(frame, labels), class_indices(predictions, labels), labels, seed=seed)

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows; the probability of each class is added as ``p:<class>``."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "id": frame["id"],
                "text": self.texts(frame),
                "gold": frame["label"],
                "label": [p.label for p in predictions],
                "score": [p.score for p in predictions],
            }
        )
        table["correct"] = table["gold"] == table["label"]
        for label in predictions[0].probabilities if predictions else ():
            table[f"p:{label}"] = [p.probabilities[label] for p in predictions]
        return table

    def baseline_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return what the TF-IDF baseline reads of each row."""
        return self.texts(frame).tolist()

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return counts by class, which accuracy and macro precision, recall and F1 are made of."""
        from lmcore.tasks.metrics import tally_classes

        return tally_classes(table["gold"].tolist(), table["label"].tolist())

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the majority class, and TF-IDF with logistic regression."""
        from lmcore.tasks.baselines import majority_class, tfidf_classes

        texts = [self.baseline_texts(part) for part in (train, dev, test)]
        gold = [self.gold(part, labels) for part in (train, dev)]
        found = {
            "majority class": majority_class(gold[0], len(test)),
            self.tfidf_title: tfidf_classes(texts[0], gold[0], texts[1], gold[1], texts[2], seed=seed),
        }
        ids = test["id"].tolist()
        return {
            name: [Prediction(int(row), labels[k]) for row, k in zip(ids, predicted, strict=True)]
            for name, predicted in found.items()
        }

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return every class, the predicted one first, then the predicted one against each other class."""
        ranked = sorted(prediction.probabilities, key=lambda c: -prediction.probabilities[c])
        alone = [Target("class", label) for label in ranked]
        return alone + [Target("class", ranked[0], against=other) for other in ranked[1:]]


def class_task(task: Task) -> ClassTask:
    """Return the task as one that gives each row one class.

    Raises:
        OptionError: it is none.
    """
    if not isinstance(task, ClassTask):
        raise OptionError(f"This needs a task that gives each row one class, and {task.name} does not: choose another.")
    return task


def class_indices(predictions: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    """Return the indices of the predicted classes, int64 of shape (rows,)."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([index[p.label] for p in predictions], dtype=np.int64)
