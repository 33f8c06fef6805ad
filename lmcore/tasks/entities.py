"""Named-entity recognition: which words name persons, places, products …"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcore.tasks.bio import written_spans
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.spans import (
    COUNTS,
    count_spans,
    measure_spans,
    span_columns,
    span_intervals,
    span_sums,
    span_tables,
    tally_spans,
)
from lmcore.tasks.tagging import ALL_OUTSIDE, UNIGRAM, TaggingTask, kinds_of
from lmcore.types import Prediction, Report

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.load import LoadedModel
    from lmcore.tasks.tally import Tally


class NamedEntityRecognition(TaggingTask):
    """A type for each stretch of words that is a name."""

    name = "named-entity-recognition"
    title = "Named-entity recognition"
    columns = (TaggingTask.text_column, TaggingTask.tags_column)
    main_metric = "f1"
    dev_metric = "f1"
    metrics = (
        Metric("precision", "Entity precision"),
        Metric("recall", "Entity recall"),
        Metric("f1", "Entity F1"),
    )

    def tag_names(self, labels: Sequence[str]) -> list[str]:
        """Return the labels: all are tags."""
        return list(labels)

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct tags, O first, the others sorted."""
        return self.tags_in(frame)

    def label_lists(self, frame: "pd.DataFrame") -> list[list[str]]:
        """Return the types of each row's entities."""
        return [kinds_of(tags) for tags in frame["tags"]]

    def model_class(self) -> Any:
        """Return transformers' token-classification auto class."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Tag every word and join the tags to entities, as characters of the text."""
        from lmcore.models.predict import predict_token_outputs
        from lmcore.models.windows import merge_words

        places = self.places(frame)
        encodings = self.encode(loaded.tokenizer, frame, loaded.max_length)
        outputs = predict_token_outputs(loaded, encodings, batch_size=batch_size, report=report)["logits"]
        read = self.read_tags(merge_words(encodings, outputs, [len(p) for p in places]), places, loaded.labels)
        predictions = [
            Prediction(int(row), score=score, spans=spans)
            for row, (spans, score) in zip(frame["id"], read, strict=True)
        ]
        return Predicted(predictions, encodings)

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return precision, recall and F1 of whole entities."""
        return measure_spans(count_spans(self.gold_spans(frame), [p.spans for p in predictions]))

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return precision, recall and F1 of whole entities, over all and by type, with intervals over sentences."""
        counts = count_spans(self.gold_spans(frame), [p.spans for p in predictions])
        sums = span_sums(counts, seed=seed)
        return Scores(measure_spans(counts), span_intervals(counts, sums), span_tables(counts, sums))

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows; entities are written as ``type: words``, and counted.

        ``right``, ``found`` and ``wanted`` are how many entities of a row are right, were found and were to be found.
        """
        import pandas as pd

        gold = self.gold_spans(frame)
        written = [
            [written_spans(text, spans) for text, spans in zip(frame["text"], every, strict=True)]
            for every in (gold, [p.spans for p in predictions])
        ]
        return pd.DataFrame(
            {
                "id": frame["id"],
                "text": frame["text"],
                "gold": written[0],
                "label": written[1],
                "score": [p.score for p in predictions],
                "correct": same_spans(gold, predictions),
                **span_columns(count_spans(gold, [p.spans for p in predictions])),
            }
        )

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return the counts of entities that precision, recall and F1 are made of."""
        return tally_spans(table) if set(COUNTS) <= set(table.columns) else super().tally(table)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the most frequent tag of each word in training, and no entity at all."""
        ids = test["id"].tolist()
        return {
            UNIGRAM: [
                Prediction(int(row), spans=spans)
                for row, spans in zip(ids, self.unigram_spans(train, test), strict=True)
            ],
            ALL_OUTSIDE: [Prediction(int(row)) for row in ids],
        }


def same_spans(gold: Sequence[Sequence[Any]], predictions: Sequence[Prediction]) -> list[bool]:
    """Say of each row whether exactly its stretches were found, with their types."""
    return [
        {(s.start, s.end, s.label) for s in wanted} == {(s.start, s.end, s.label) for s in given.spans}
        for wanted, given in zip(gold, predictions, strict=True)
    ]
