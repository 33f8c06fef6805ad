"""Multi-label classification: any number of labels out of a fixed set for each text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import DataError
from lmcore.tasks.base import Column
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.labelled import LabelTask
from lmcore.tasks.predicted import Predicted, row_number
from lmcore.types import Prediction, Report, Target

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings
    from lmcore.models.linear import LinearFit
    from lmcore.models.load import LoadedModel
    from lmcore.tasks.tally import Tally

SEPARATOR = "|"
NONE = "-"
THRESHOLD = 0.5


class MultiLabelClassification(LabelTask):
    """Any number of labels for each text; the cell joins them with ``|``, and ``-`` says that none fits.

    Each label has a sigmoid of its own, trained with binary cross-entropy. A label is given where its probability is
    above one threshold for all labels, which is chosen on dev for the highest micro F1 and kept with the model.
    """

    name = "multi-label-classification"
    title = "Multi-label classification"
    main_metric = "f1_micro"
    dev_metric = "auroc_macro"
    exclusive = False
    columns = (
        Column(
            "text",
            "the text to classify",
            ("text", "sentence", "review", "content", "comment", "message", "title", "文本", "内容", "评论"),
        ),
        Column(
            "label",
            f"its labels, joined by {SEPARATOR}; {NONE} where none fits",
            ("label", "labels", "tags", "categories", "topics", "classes", "aspects", "标签", "类别"),
            role="label",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("f1_micro", "Micro F1"),
        Metric("f1_macro", "Macro F1"),
        Metric("exact_match", "Exact match"),
        Metric("auroc_macro", "Macro AUROC"),
        Metric("precision_micro", "Micro precision"),
        Metric("recall_micro", "Micro recall"),
    )

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct labels, sorted."""
        return tuple(sorted({label for cell in frame["label"] for label in read_labels(cell)}))

    def label_lists(self, frame: "pd.DataFrame") -> list[list[str]]:
        """Return the labels of each row."""
        return [read_labels(cell) for cell in frame["label"]] if "label" in frame.columns else []

    def strata(self, frame: "pd.DataFrame") -> "pd.Series | None":
        """Return the rarest label of each row, so that every split has its share of the rare ones too."""
        import pandas as pd

        if "label" not in frame.columns:
            return None
        rows = self.label_lists(frame)
        names, counts = np.unique([label for row in rows for label in row] or [""], return_counts=True)
        count = dict(zip(names.tolist(), counts.tolist(), strict=True))
        rarest = [min(row, key=lambda label: (count[label], label)) if row else NONE for row in rows]
        return pd.Series(rarest, index=frame.index, dtype="str")

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse fewer than two labels where there is no model yet, and else labels that the model does not know."""
        if labels is not None:
            self.gold(frame, labels)
            return
        known = self.labels(frame)
        if len(known) < 2:
            raise DataError(
                f"{what} has {'no label' if not known else f'only the label {known[0]!r}'}: it needs at least two; join "
                f"the labels of a row with {SEPARATOR}."
            )

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the labels, and that they do not exclude each other."""
        options = super().model_options(labels)
        return {**options, "problem_type": "multi_label_classification"} if options else {}

    def gold(self, frame: "pd.DataFrame", labels: Sequence[str]) -> np.ndarray:
        """Return which labels each row has, bool of shape (rows, labels).

        Raises:
            DataError: a row has a label that is not among ``labels``.
        """
        index = {label: number for number, label in enumerate(labels)}
        gold = np.zeros((len(frame), len(labels)), dtype=bool)
        for position, cell in enumerate(frame["label"]):
            for label in read_labels(cell):
                if label not in index:
                    raise DataError(
                        f"Row {row_number(frame, position)} has the label {label!r}, which the model does not know; it "
                        f"knows: {', '.join(labels)}."
                    )
                gold[position, index[label]] = True
        return gold

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the text, and 1 or 0 for each label."""
        from dataclasses import replace

        from lmcore.models.encode import encode_texts

        encodings = encode_texts(tokenizer, frame["text"].tolist(), max_length)
        if labels is None:
            return encodings
        return replace(encodings, fields={"labels": list(self.gold(frame, labels).astype(np.float32))})

    def fit_linear(self, x: np.ndarray, gold: np.ndarray, *, seed: int, strength: float) -> "LinearFit":
        """Fit one logistic regression for each label."""
        from lmcore.models.linear import fit_linear_labels

        return fit_linear_labels(x, gold, seed=seed, C=strength)

    def judge(self, logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
        """Return macro AUROC, which needs no threshold, and mean binary cross-entropy in nats."""
        from scipy.special import expit

        from lmcore.tasks.label_sets import measure_label_sets

        loss = np.logaddexp(0, np.where(gold, -logits, logits)).mean()
        measured = measure_label_sets(gold, logits > 0, expit(logits))
        return {"dev_auroc_macro": measured["auroc_macro"], "dev_loss": float(loss)}

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Run the model once over each row and give every label that is above the threshold."""
        from scipy.special import expit

        from lmcore.models.predict import predict_logits

        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        logits = predict_logits(loaded, encodings, batch_size=batch_size, report=report)
        threshold = float(getattr(loaded.model.config, "label_threshold", THRESHOLD))
        found = read_probabilities(expit(logits), frame["id"].tolist(), loaded.labels, threshold)
        return Predicted(found, encodings)

    def tune(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> dict[str, float]:
        """Choose the threshold with the highest micro F1 on dev."""
        from lmcore.tasks.label_sets import best_threshold

        predictions = self.predict(loaded, frame).predictions
        gold = self.gold(frame, loaded.labels)
        return {"label_threshold": best_threshold(gold, _probabilities(predictions, loaded.labels))}

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return micro and macro F1, exact match, macro AUROC, and micro precision and recall."""
        from lmcore.tasks.label_sets import measure_label_sets

        gold = self.gold(frame, labels)
        return measure_label_sets(gold, _given(predictions, labels), _probabilities(predictions, labels))

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return the same with intervals, and precision, recall and F1 of each label."""
        from lmcore.tasks.label_sets import score_label_sets

        gold = self.gold(frame, labels)
        return score_label_sets(
            gold, _given(predictions, labels), _probabilities(predictions, labels), labels, seed=seed
        )

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows; the probability of each label is added as ``p:<label>``."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "id": frame["id"],
                "text": frame["text"],
                "gold": [write_labels(read_labels(cell)) for cell in frame["label"]],
                "label": [p.label for p in predictions],
                "score": [p.score for p in predictions],
            }
        )
        table["correct"] = table["gold"] == table["label"]
        for label in predictions[0].probabilities if predictions else ():
            table[f"p:{label}"] = [p.probabilities[label] for p in predictions]
        return table

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return counts by label, which all metrics are made of but AUROC: that one is of an order, not of sums."""
        from lmcore.tasks.label_sets import tally_label_sets

        sets = [[set(read_labels(cell)) for cell in table[name]] for name in ("gold", "label")]
        labels = sorted({label for rows in sets for row in rows for label in row})
        gold, given = (
            np.array([[label in row for label in labels] for row in rows], dtype=bool).reshape(-1, len(labels))
            for rows in sets
        )
        return tally_label_sets(gold, given)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the most frequent label set, and TF-IDF with a logistic regression for each label."""
        from lmcore.tasks.baselines import tfidf_labels
        from lmcore.tasks.label_sets import best_threshold

        gold, gold_dev = self.gold(train, labels), self.gold(dev, labels)
        sets, counts = np.unique(gold, axis=0, return_counts=True)
        most = np.repeat(sets[counts.argmax()][None].astype(float), len(test), axis=0)
        texts = [part["text"].tolist() for part in (train, dev, test)]
        on_dev, on_test = tfidf_labels(texts[0], gold, texts[1], gold_dev, texts[2], seed=seed)
        ids = test["id"].tolist()
        return {
            "most frequent label set": read_probabilities(most, ids, labels, THRESHOLD),
            "TF-IDF + logistic regression": read_probabilities(on_test, ids, labels, best_threshold(gold_dev, on_dev)),
        }

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return every label, the most probable first."""
        ranked = sorted(prediction.probabilities, key=lambda c: -prediction.probabilities[c])
        return [Target("class", label) for label in ranked]


def read_labels(cell: str) -> list[str]:
    """Return the distinct labels of a cell, sorted; none for ``-`` or an empty cell."""
    return sorted({label.strip() for label in cell.split(SEPARATOR)} - {"", NONE})


def write_labels(labels: Sequence[str]) -> str:
    """Return labels as a cell."""
    return SEPARATOR.join(sorted(labels)) or NONE


def read_probabilities(
    probabilities: np.ndarray, ids: Sequence[int], labels: Sequence[str], threshold: float
) -> list[Prediction]:
    """Turn probabilities (rows, labels) into label sets.

    The score is the probability that the whole set is right if the labels do not depend on each other.
    """
    given = probabilities > threshold
    sure = np.where(given, probabilities, 1 - probabilities).prod(axis=1)
    return [
        Prediction(
            id=int(row),
            label=write_labels([label for label, has in zip(labels, has_label, strict=True) if has]),
            score=float(score),
            probabilities=dict(zip(labels, p.tolist(), strict=True)),
        )
        for row, has_label, score, p in zip(ids, given, sure, probabilities, strict=True)
    ]


def _given(predictions: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    sets = [set(read_labels(p.label)) for p in predictions]
    return np.array([[label in given for label in labels] for given in sets], dtype=bool).reshape(-1, len(labels))


def _probabilities(predictions: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    return np.array([[p.probabilities[label] for label in labels] for p in predictions]).reshape(-1, len(labels))
