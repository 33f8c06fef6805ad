"""Style transfer: the same content in another tone."""

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


class StyleTransfer(WritingTask):
    """A rewording of each text in the style of the training rows' targets."""

    name = "style-transfer"
    title = "Style transfer"
    template = Template("Rewrite the text in the other style.\n\nText: ", "\nRewritten:")
    row_metric = "chrf"
    main_metric = "bleu"
    columns = (
        Column("source", "the text to reword", ("source", "src", "input", "informal", "modern", "原文", "口语")),
        Column(
            "target",
            "the same in the wanted style",
            ("target", "tgt", "output", "rewritten", "formal", "polite", "original", "改写", "书面"),
            role="output",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bleu", "BLEU to the target", "0 to 100", maximum=100.0),
        Metric("chrf", "chrF to the target", "0 to 100", maximum=100.0),
        Metric("style", "Style accuracy"),
        Metric("content", "Content kept (chrF to the source)", "0 to 100", maximum=100.0),
    )

    def overlaps(
        self, sources: Sequence[str], wanted: Sequence[str], written: Sequence[str]
    ) -> "Mapping[str, Overlap]":
        """Return BLEU and chrF to the target, how many are in its style, and chrF to the source: how much was kept."""
        from lmcore.tasks.overlap import bleu, chrf
        from lmcore.tasks.styled import styled

        return {
            "bleu": bleu(written, wanted),
            "chrf": chrf(written, wanted),
            "style": styled(sources, wanted, written),
            "content": chrf(written, sources),
        }

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the source itself: it keeps all content and no style."""
        return {"copy of the source": copies(test["id"].tolist(), test["source"].tolist())}
