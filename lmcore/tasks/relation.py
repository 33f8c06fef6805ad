"""Relation extraction: how two marked things in a text are related."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import DataError, InputError
from lmcore.tasks.base import Column
from lmcore.tasks.classes import ClassTask, class_indices
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.predicted import row_number
from lmcore.types import Prediction

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings
    from lmcore.tasks.tally import Tally

MARKS = ("<e1>", "</e1>", "<e2>", "</e2>")
NO_RELATION = frozenset({"other", "no_relation", "no relation", "none", "na", "n/a", "其他", "其它", "无关系", "无"})
_FORM = "mark one thing with <e1>…</e1> and another with <e2>…</e2>, each once and apart"


class RelationExtraction(ClassTask):
    """One relation for each text in which two things are marked.

    Relations are classes as they are given: where their direction matters it is part of the name, as in
    ``Cause-Effect(e2,e1)``. A class such as ``Other`` counts as no relation and is left out of the averages.
    """

    name = "relation-extraction"
    title = "Relation extraction"
    main_metric = "f1_macro"
    dev_metric = "f1_macro"
    extra_tokens = MARKS
    tfidf_title = "TF-IDF of the words between the marks"
    columns = (
        Column(
            "text",
            "the text with <e1>…</e1> and <e2>…</e2> around two things",
            ("text", "sentence", "context", "passage", "文本", "句子"),
        ),
        Column(
            "label",
            "their relation",
            ("label", "relation", "relation_type", "class", "关系", "标签"),
            role="label",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("f1_macro", "Macro F1"),
        Metric("f1_micro", "Micro F1"),
        Metric("accuracy", "Accuracy"),
        Metric("precision_macro", "Macro precision"),
        Metric("recall_macro", "Macro recall"),
    )

    def vocabulary_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return the texts without the marks, which are tokens of their own."""
        return [plain_text(text) for text in frame["text"]]

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse texts without the marks, and what `ClassTask` refuses."""
        for position, text in enumerate(frame["text"]):
            if find_marked(text) is None:
                raise DataError(f"Row {row_number(frame, position)} of {what} has not the marks it needs: {_FORM}.")
        super().check_rows(frame, what, labels)

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the text, of one that is too long the part around the marks, and the relation's index.

        Raises:
            InputError: a text has not the marks.
        """
        from dataclasses import replace

        from lmcore.models.encode import encode_texts

        texts = frame["text"].tolist()
        if any(find_marked(text) is None for text in texts):
            raise InputError(f"A text has not the marks that this model needs: {_FORM}.")
        cut = _around_marks(tokenizer, texts, max_length)
        encodings = encode_texts(tokenizer, cut, max_length)
        shorter = np.array([a != b for a, b in zip(texts, cut, strict=True)], dtype=bool)
        fields = {} if labels is None else {"labels": self.gold(frame, labels).tolist()}
        return replace(encodings, truncated=encodings.truncated | shorter, fields=fields)

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return accuracy, micro F1 and macro precision, recall and F1 without the class for no relation."""
        from lmcore.tasks.metrics import measure_classes

        predicted = class_indices(predictions, labels)
        return measure_classes(self.gold(frame, labels), predicted, labels, without=no_relation(labels))

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return the same with intervals, figures of each relation and the confusion matrix."""
        from lmcore.tasks.metrics import score_classes

        predicted = class_indices(predictions, labels)
        return score_classes(self.gold(frame, labels), predicted, labels, seed=seed, without=no_relation(labels))

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return counts by class; averages leave out the class for no relation."""
        from lmcore.tasks.metrics import tally_classes

        gold, predicted = table["gold"].tolist(), table["label"].tolist()
        return tally_classes(gold, predicted, no_relation([*gold, *predicted]))

    def baseline_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return the words between the two marked things, with which of the two comes first."""
        return [words_between(text) for text in frame["text"]]


def no_relation(labels: Sequence[str]) -> set[str]:
    """Return the classes that stand for no relation, such as ``Other``."""
    return {label for label in labels if label.casefold() in NO_RELATION}


def find_marked(text: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return where the two marked things stand, their marks included; None where the marks are not as they should be.

    Returns:
        Characters from (included) and to (excluded) of the first thing, then of the second.
    """
    if any(text.count(mark) != 1 for mark in MARKS):
        return None
    (a, b), (c, d) = ((text.find(f"<{e}>"), text.find(f"</{e}>") + len(f"</{e}>")) for e in ("e1", "e2"))
    apart = b <= c or d <= a
    filled = text[a + 4 : b - 5].strip() and text[c + 4 : d - 5].strip()
    return ((a, b), (c, d)) if a < b and c < d and apart and filled else None


def words_between(text: str) -> str:
    """Return what stands between the two marked things, between the names ``e1`` and ``e2`` in their order."""
    found = find_marked(text)
    if found is None:
        return ""
    (a, b), (c, d) = found
    return f"e1 {text[b:c]} e2" if b <= c else f"e2 {text[d:a]} e1"


def plain_text(text: str) -> str:
    """Return the text without the marks."""
    return re.sub("|".join(map(re.escape, MARKS)), "", text)


def _around_marks(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[str]:
    """Cut texts that have too many tokens to those around the marks; the others stay as they are."""
    room = max_length - tokenizer.num_special_tokens_to_add()
    out = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [
        text if len(offsets) <= room else _window(text, offsets, room)
        for text, offsets in zip(texts, out["offset_mapping"], strict=True)
    ]


def _window(text: str, offsets: Sequence[tuple[int, int]], room: int) -> str:
    """Return the stretch of ``room`` tokens with the marked things in its middle, or from the first of them on."""
    (a, b), (c, d) = find_marked(text) or ((0, 0), (0, 0))
    start, end = min(a, c), max(b, d)
    inside = [n for n, (first, last) in enumerate(offsets) if first < end and last > start]
    spare = room - len(inside)
    first = inside[0] - max(spare // 2, 0)
    first = max(0, min(first, len(offsets) - room))
    return text[offsets[first][0] : offsets[first + room - 1][1]]
