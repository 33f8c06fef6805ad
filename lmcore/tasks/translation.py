"""Machine translation: a text in one language from a text in another."""

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


class Translation(WritingTask):
    """A translation of each text; the languages are those of the training rows."""

    name = "translation"
    title = "Machine translation"
    template = Template("Translate the text.\n\nText: ", "\nTranslation:")
    row_metric = "chrf"
    main_metric = "bleu"
    columns = (
        Column("source", "the text to translate", ("source", "src", "source_text", "original", "原文", "源语言")),
        Column(
            "target",
            "its translation",
            ("target", "tgt", "translation", "target_text", "reference", "译文", "目标语言"),
            role="output",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bleu", "BLEU", "0 to 100", maximum=100.0),
        Metric("chrf", "chrF", "0 to 100", maximum=100.0),
    )

    def overlaps(
        self, sources: Sequence[str], wanted: Sequence[str], written: Sequence[str]
    ) -> "Mapping[str, Overlap]":
        """Return BLEU and chrF."""
        from lmcore.tasks.overlap import bleu, chrf

        return {"bleu": bleu(written, wanted), "chrf": chrf(written, wanted)}

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the source itself, and each word replaced by the one that goes with it in training."""
        from lmcore.tasks.dictionary import learn_dictionary

        ids, sources = test["id"].tolist(), test["source"].tolist()
        dictionary = learn_dictionary(train["source"].tolist(), train["target"].tolist())
        return {
            "copy of the source": copies(ids, sources),
            "word-by-word dictionary": copies(ids, [dictionary.translate(text) for text in sources]),
        }
