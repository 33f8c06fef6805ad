"""Slot filling with intent: what a request wants, and the words that fill its slots."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import DataError, UnknownError
from lmcore.tasks.base import Column
from lmcore.tasks.bio import written_spans
from lmcore.tasks.entities import same_spans
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.labelled import label_logits
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.resampling import middle, resampled_sums
from lmcore.tasks.spans import (
    COUNTS,
    count_spans,
    measure_spans,
    span_columns,
    span_intervals,
    span_tables,
    tally_spans,
)
from lmcore.tasks.tagging import ALL_OUTSIDE, UNIGRAM, TaggingTask
from lmcore.types import Prediction, Report, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.outcomes import Outcomes
    from lmcore.tasks.tally import Tally

INTENT = "intent:"


class SlotFilling(TaggingTask):
    """An intent for each request and a type for each stretch of words that fills a slot, by one model with two heads.

    The labels of a model are its tags, then its intents with ``intent:`` before them.
    """

    name = "slot-filling"
    title = "Slot filling with intent"
    columns = (
        TaggingTask.text_column,
        TaggingTask.tags_column,
        Column(
            "label", "what the request wants", ("label", "intent", "intents", "class", "意图", "类别"), role="label"
        ),
    )
    main_metric = "frame_accuracy"
    dev_metric = "frame_accuracy"
    metrics = (
        Metric("slot_precision", "Slot precision"),
        Metric("slot_recall", "Slot recall"),
        Metric("slot_f1", "Slot F1"),
        Metric("intent_accuracy", "Intent accuracy"),
        Metric("frame_accuracy", "Frame accuracy"),
    )

    def tag_names(self, labels: Sequence[str]) -> list[str]:
        """Return the labels that are tags."""
        return [label for label in labels if not label.startswith(INTENT)]

    def intent_names(self, labels: Sequence[str]) -> list[str]:
        """Return the labels that are intents, by their own names."""
        return [label.removeprefix(INTENT) for label in labels if label.startswith(INTENT)]

    def answer_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the intents."""
        return tuple(self.intent_names(labels))

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct tags, O first, then the distinct intents, marked as such."""
        intents = sorted(str(label) for label in frame["label"].unique() if label)
        return (*self.tags_in(frame), *(INTENT + label for label in intents))

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse rows whose tags do not fit, fewer than two intents, or none that a model knows."""
        super().check_rows(frame, what, labels)
        intents = set(frame["label"])
        if labels is None and len(intents) < 2:
            raise DataError(f"{what} has only the intent {intents.pop()!r}: a classifier needs at least two.")
        if labels is not None and not intents & set(self.intent_names(labels)):
            raise DataError(
                f"{what} has no intent that the model knows; it knows: {', '.join(self.intent_names(labels))}."
            )

    def model_class(self) -> Any:
        """Return what loads the joint model as an auto class does."""
        from lmcore.models.joint import AutoJointTagger

        return AutoJointTagger

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the labels, and how many of them are intents."""
        return {**super().model_options(labels), "intents": len(self.intent_names(labels))}

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the words in windows; every window of a request learns its intent."""
        from lmcore.models.encode import IGNORED

        encodings = super().encode(tokenizer, frame, max_length, labels)
        if labels is None:
            return encodings
        index = {intent: number for number, intent in enumerate(self.intent_names(labels))}
        gold = [index.get(label, IGNORED) for label in frame["label"]]
        return replace(encodings, fields={**encodings.fields, "intent_labels": [gold[row] for row in encodings.owners]})

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with the slots that were found and their intent, or another one.

        Raises:
            UnknownError: the model has no such intent.
        """
        intents = self.intent_names(loaded.labels)
        if answer and answer not in intents:
            raise UnknownError("intent", answer, intents)
        return super().answered(loaded, frame, said).assign(label=answer or said.label)

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> np.ndarray:
        """Return how many words of each window have a known tag, and whether its intent is known."""
        from lmcore.models.encode import IGNORED

        known = np.array(encodings.fields["intent_labels"], dtype=np.int64) != IGNORED
        return np.hstack([super().lessons(loaded, encodings), known.astype(np.int64).reshape(-1, 1)])

    def written_answers(self, frame: "pd.DataFrame") -> list[str]:
        """Return the intent of each row, and its slots."""
        rows = zip(frame["label"], frame["text"], self.gold_spans(frame), strict=True)
        return [_written(*row) for row in rows]

    def written_answer(self, frame: "pd.DataFrame", said: Prediction) -> str:
        """Return the intent, and the slots that were found."""
        return _written(said.label, str(frame["text"].iloc[0]), said.spans)

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Tag every word and take the most probable intent; of a long request its windows' mean decides."""
        from lmcore.models.predict import forward_batches
        from lmcore.models.windows import merge_words

        places = self.places(frame)
        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        tags, intents = self.tag_names(loaded.labels), self.intent_names(loaded.labels)
        words: list[np.ndarray] = [np.empty(0)] * len(encodings)
        sums, counts = np.zeros((len(frame), len(intents))), np.zeros((len(frame), 1))
        for windows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
            logits, whole = out.logits.float().cpu().numpy(), out.intent_logits.float().cpu().numpy()
            for place, window in enumerate(windows):
                words[window] = logits[place, : len(encodings.ids[window])]
            np.add.at(sums, encodings.owners[windows], whole)
            np.add.at(counts, encodings.owners[windows], 1)
        read = self.read_tags(merge_words(encodings, words, [len(p) for p in places]), places, tags)
        predictions = [
            _prediction(int(row), spans, score, logits, intents)
            for row, (spans, score), logits in zip(frame["id"], read, sums / counts.clip(min=1), strict=True)
        ]
        return Predicted(predictions, encodings)

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return the intent, alone and against the others, then the slots."""
        ranked = sorted(prediction.probabilities, key=lambda c: -prediction.probabilities[c])
        intents = [Target("class", ranked[0])] if ranked else []
        intents += [Target("class", ranked[0], against=other) for other in ranked[1:]]
        return [*intents, *super().targets(prediction)]

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return an intent's logit, or a tag's, less that of the one it is held against.

        Raises:
            UnknownError: the model has no such intent or tag.
            InputError: no token stands there.
        """
        if target.kind == "class":
            return label_logits(out.intent_logits, target, tuple(self.intent_names(loaded.labels)))
        return super().objective(loaded, out, reading, target)

    def rivals(self, loaded: "LoadedModel", target: Target) -> tuple[str, ...]:
        """Return the intents or the tags: of each exactly one holds."""
        return tuple(self.intent_names(loaded.labels)) if target.kind == "class" else super().rivals(loaded, target)

    def outcomes(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "Outcomes":
        """Return the intents of the whole text, or the tags of each token.

        Raises:
            UnknownError: the model has no such intent or tag.
            InputError: no token stands where the target does.
        """
        from lmcore.tasks.outcomes import whole_text

        if target.kind == "class":
            return whole_text(out.intent_logits, self.intent_names(loaded.labels), target.label)
        return super().outcomes(loaded, out, reading, target)

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return precision, recall and F1 of slots, and the shares of right intents and of wholly right rows."""
        gold = self.gold_spans(frame)
        slots = measure_spans(count_spans(gold, [p.spans for p in predictions]))
        right = self._right(frame, gold, predictions)
        shares = right.mean(axis=0) if len(right) else np.zeros(2)
        return {
            **{f"slot_{name}": value for name, value in slots.items()},
            "intent_accuracy": float(shares[0]),
            "frame_accuracy": float(shares[1]),
        }

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return the same with intervals over requests, slots by type, and the confusion of intents."""
        gold = self.gold_spans(frame)
        counts = count_spans(gold, [p.spans for p in predictions])
        right = self._right(frame, gold, predictions)
        sums = resampled_sums(np.concatenate([counts.flat(), right], axis=1), seed=seed)
        slots = sums[:, :-2]
        shares = sums[:, -2:] / max(len(frame), 1)
        return Scores(
            metrics=self.measure(frame, predictions, labels),
            intervals={
                **{f"slot_{name}": ends for name, ends in span_intervals(counts, slots).items()},
                "intent_accuracy": middle(shares[:, 0]),
                "frame_accuracy": middle(shares[:, 1]),
            },
            tables={**span_tables(counts, slots), "confusion": _confusion(frame, predictions)},
        )

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows; ``intent_correct`` and ``slots_correct`` say which part is right.

        ``right``, ``found`` and ``wanted`` are how many slots of a row are right, were found and were to be found.
        """
        import pandas as pd

        gold = self.gold_spans(frame)
        right = self._right(frame, gold, predictions)
        said = [
            [_written(*row) for row in zip(names, frame["text"], every, strict=True)]
            for names, every in (
                (frame["label"], gold),
                ([p.label for p in predictions], [p.spans for p in predictions]),
            )
        ]
        return pd.DataFrame(
            {
                "id": frame["id"],
                "text": frame["text"],
                "gold": said[0],
                "label": said[1],
                "score": [p.score for p in predictions],
                "correct": right[:, 1].astype(bool),
                "intent_correct": right[:, 0].astype(bool),
                "slots_correct": same_spans(gold, predictions),
                **span_columns(count_spans(gold, [p.spans for p in predictions])),
            }
        )

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return right rows, right intents and the counts of slots, which all metrics are made of."""
        from lmcore.tasks.tally import Tally

        if not set(COUNTS) <= set(table.columns):
            return super().tally(table)
        slots = tally_spans(table)
        flags = table[["correct", "intent_correct"]].to_numpy(dtype=float)

        def read(sums: np.ndarray) -> dict[str, np.ndarray]:
            return {
                "frame_accuracy": sums[..., 0] / sums[..., 2],
                "intent_accuracy": sums[..., 1] / sums[..., 2],
                **{f"slot_{name}": values for name, values in slots.read(sums[..., 3:]).items()},
            }

        return Tally(np.hstack([flags, np.ones((len(flags), 1)), slots.rows]), read)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return each word's most frequent tag with TF-IDF for the intent, and no slot with the most frequent intent."""
        from lmcore.tasks.baselines import majority_class, tfidf_classes

        intents = self.intent_names(labels)
        index = {intent: number for number, intent in enumerate(intents)}
        gold, gold_dev = (np.array([index.get(name, -1) for name in part["label"]]) for part in (train, dev))
        texts = [part["text"].tolist() for part in (train, dev, test)]
        learnt = tfidf_classes(texts[0], gold, texts[1], gold_dev, texts[2], seed=seed)
        ids = test["id"].tolist()
        return {
            f"{UNIGRAM}, TF-IDF + logistic regression": [
                Prediction(int(row), intents[k], spans=spans)
                for row, k, spans in zip(ids, learnt, self.unigram_spans(train, test), strict=True)
            ],
            f"{ALL_OUTSIDE}, majority intent": [
                Prediction(int(row), intents[k]) for row, k in zip(ids, majority_class(gold, len(test)), strict=True)
            ],
        }

    def _right(
        self, frame: "pd.DataFrame", gold: Sequence[Sequence[Any]], predictions: Sequence[Prediction]
    ) -> np.ndarray:
        """Return whether the intent, and whether the whole, is right; int64 of shape (rows, 2)."""
        intent = [p.label == label for p, label in zip(predictions, frame["label"], strict=True)]
        whole = np.array(intent, dtype=bool) & np.array(same_spans(gold, predictions), dtype=bool)
        return np.stack([np.array(intent, dtype=np.int64), whole.astype(np.int64)], axis=1)


def _prediction(row: int, spans: Any, score: float, logits: np.ndarray, intents: Sequence[str]) -> Prediction:
    shifted = np.exp(logits - logits.max())
    probabilities = shifted / shifted.sum()
    best = int(probabilities.argmax())
    return Prediction(
        row,
        intents[best],
        min(score, float(probabilities[best])),
        dict(zip(intents, probabilities.tolist(), strict=True)),
        spans,
    )


def _written(intent: str, text: str, spans: Sequence[Any]) -> str:
    return " | ".join(part for part in (intent, written_spans(text, spans)) if part)


def _confusion(frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
    """Return ``gold``, ``predicted`` and ``rows`` for each pair of the intents that occur."""
    import pandas as pd

    given = [p.label for p in predictions]
    names = sorted({*frame["label"], *given})
    table = pd.crosstab(pd.Series(frame["label"].to_numpy()), pd.Series(given)).reindex(
        index=names, columns=names, fill_value=0
    )
    rows = [(g, p, int(table.loc[g, p])) for g in names for p in names]
    return pd.DataFrame(rows, columns=["gold", "predicted", "rows"])
