"""Summarisation: a short text that says what matters in a long one."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from lmcore.tasks.adapters import Template
from lmcore.tasks.base import Column
from lmcore.tasks.figures import Metric
from lmcore.tasks.writing import WritingTask, copies
from lmcore.types import Prediction

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.tasks.overlap import Overlap

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])\s*|\n+")
LEAD = 3


class Summarisation(WritingTask):
    """A summary of each text, in words of the model's own."""

    name = "summarisation"
    title = "Summarisation"
    template = Template("Summarise the text.\n\nText: ", "\nSummary:", room=0.25)
    row_metric = "rouge_l"
    main_metric = "rouge_l"
    columns = (
        Column(
            "document",
            "the text to summarise",
            ("document", "dialogue", "article", "text", "content", "source", "文章", "正文", "原文"),
        ),
        Column(
            "summary",
            "its summary",
            ("summary", "highlights", "abstract", "summary1", "target", "摘要", "总结"),
            role="output",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("rouge1", "ROUGE-1 F1"),
        Metric("rouge2", "ROUGE-2 F1"),
        Metric("rouge_l", "ROUGE-L F1"),
    )

    def overlaps(
        self, sources: Sequence[str], wanted: Sequence[str], written: Sequence[str]
    ) -> "Mapping[str, Overlap]":
        """Return ROUGE-1, ROUGE-2 and ROUGE-L."""
        from lmcore.tasks.overlap import rouge

        return rouge(written, wanted)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the first three sentences, or lines, of each text."""
        return {"lead-3": copies(test["id"].tolist(), [lead(text) for text in test["document"]])}


def lead(text: str, sentences: int = LEAD) -> str:
    """Return the first sentences of a text; a line that ends ends a sentence too."""
    found = [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
    return " ".join(found[:sentences])
