"""Text classification: one class for each text, or for each pair of texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcore.tasks.base import Column
from lmcore.tasks.classes import ClassTask

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings


class TextClassification(ClassTask):
    """One class out of a fixed set for each text, or for each text with a second one beside it."""

    name = "text-classification"
    title = "Text classification"
    columns = (
        Column(
            "text",
            "the text to classify",
            ("text", "sentence", "review", "content", "comment", "message", "feedback", "文本", "内容", "评论",
             "sentence1", "premise", "question1"),
        ),
        Column(
            "text_pair",
            "a second text, where a pair is to be classified",
            ("text_pair", "sentence2", "hypothesis", "question2"),
            required=False,
        ),
        Column(
            "label",
            "its class",
            ("label", "labels", "class", "category", "sentiment", "intent", "topic", "target", "标签", "类别"),
            role="label",
        ),
    )  # fmt: skip

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the text, with its pair where there is one, and the class's index."""
        from dataclasses import replace

        from lmcore.models.encode import encode_texts

        pairs = frame["text_pair"].tolist() if "text_pair" in frame.columns else None
        encodings = encode_texts(tokenizer, frame["text"].tolist(), max_length, pairs)
        if labels is None:
            return encodings
        return replace(encodings, fields={**encodings.fields, "labels": self.gold(frame, labels).tolist()})
