"""What tasks share that write a text from a text."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lmcore.tasks.adapters import Adapter, EncoderDecoder, Template
from lmcore.tasks.base import Task
from lmcore.tasks.figures import Scores
from lmcore.tasks.phrases import phrase_probability, phrase_targets, phrase_value
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.prompting import Prompts
from lmcore.tasks.teaching import token_lessons
from lmcore.types import Prediction, Report, Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from lmcore.models.decoding import Decoding
    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.overlap import Overlap
    from lmcore.tasks.tally import Tally


class WritingTask(Task):
    """One text is read and one is written; the epoch with the lowest loss on dev is kept.

    Attributes:
        template: what stands around the text for a decoder.
        row_metric: the metric that a table shows for each row.
    """

    template: ClassVar[Template]
    row_metric: ClassVar[str]
    plain_text = "lmcore.data.parallel:read_parallel"

    def __init__(self, adapter: Adapter | None = None) -> None:
        self._adapter = adapter or EncoderDecoder()
        self._decoding: Decoding | None = None

    def adapted(self, config: Any) -> Self:
        """Return the task as models of this architecture do it.

        Raises:
            InputError: models of its kind read and do not write.
        """
        from lmcore.tasks.adapters import adapter_for

        return type(self)(adapter_for(config))

    @property
    def source(self) -> str:
        """The column that is read."""
        return self.required()[0]

    @property
    def target(self) -> str:
        """The column that is written."""
        return self.outputs()[0]

    def vocabulary_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return sources, targets and, as often as a decoder would read it, the template."""
        return [*super().vocabulary_texts(frame), *[self.template.before + self.template.after] * len(frame)]

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse nothing more: any text may be written from any other."""

    def model_class(self) -> Any:
        """Return the auto class that takes transformers' own by the model's architecture."""
        from lmcore.tasks.adapters import WritingModel

        return WritingModel

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return nothing: there are no labels."""
        return {}

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode what is read and, where ``labels`` are given, even none of them, what is to be written."""
        targets = None if labels is None else frame[self.target].tolist()
        return self._adapter.encode(tokenizer, frame[self.source].tolist(), targets, max_length, self.template)

    def encode_learnt(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> "Encodings":
        """Encode what is read, and what is learnt to be written."""
        return self.adapted(loaded.model.config).encode(loaded.tokenizer, frame, loaded.max_length, ())

    def answered(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", said: Prediction, answer: str = ""
    ) -> "pd.DataFrame":
        """Return one row with what was written, or another text."""
        return frame.assign(**{self.target: answer or said.text})

    def lessons(self, loaded: "LoadedModel", encodings: "Encodings") -> "np.ndarray":
        """Return how many tokens of each row are learnt to be written."""
        return token_lessons(encodings, shifted=not loaded.model.config.is_encoder_decoder)

    def prompts(self, tokenizer: Any, frame: "pd.DataFrame", limit: int) -> Prompts:
        """Return each source in the template, for a decoder to write its target."""
        sources = frame[self.source].tolist()
        encodings = self.encode(tokenizer, frame, limit)
        return Prompts(encodings, tuple(sources), tuple(frame[self.target].tolist()))

    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> Predicted:
        """Write a text for each row, in the model's own way where no other was set; the score is its mean token probability."""
        from dataclasses import replace

        import numpy as np

        from lmcore.models.generate import write_texts

        encodings = self.adapted(loaded.model.config).encode(loaded.tokenizer, frame, loaded.max_length)
        written = write_texts(loaded, encodings, self._decoding, batch_size=batch_size, report=report)
        predictions = [
            Prediction(int(row), score=item.score, text=item.text)
            for row, item in zip(frame["id"], written, strict=True)
        ]
        cut = np.array([not item.finished for item in written], dtype=bool)
        return Predicted(predictions, replace(encodings, cut_outputs=cut))

    def encode_read(self, loaded: "LoadedModel", frame: "pd.DataFrame", output: str = "") -> "Encodings":
        """Encode what is read and, where there is one, what was written."""
        task = self.adapted(loaded.model.config)
        if not output:
            return task.encode(loaded.tokenizer, frame, loaded.max_length)
        return task.encode(loaded.tokenizer, frame.assign(**{self.target: output}), loaded.max_length, ())

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return each word of what was written, then the whole of it."""
        return phrase_targets(prediction.text)

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return how probable a phrase is; see `lmcore.tasks.phrases.phrase_value`.

        Raises:
            InputError: the phrase does not stand in what was written.
        """
        return phrase_value(loaded.tokenizer, out.logits, reading, target)

    def probability(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return how probable a phrase, or a token at a gap, is, 0 to 1."""
        return phrase_probability(loaded.tokenizer, out.logits, reading, target)

    def settings(self, loaded: "LoadedModel") -> dict[str, Any]:
        """Return how the texts are written."""
        from dataclasses import asdict

        return {"decoding": asdict(self.decoding(loaded))}

    def decoding(self, loaded: "LoadedModel | None" = None) -> "Decoding":
        """Return the way that was set, else the model's own, else greedy."""
        from lmcore.models.decoding import Decoding

        return self._decoding or (Decoding() if loaded is None else loaded.decoding)

    def decoded(self, decoding: "Decoding") -> Self:
        """Return the task as one that writes its texts in another way."""
        changed = copy(self)
        changed._decoding = decoding
        return changed

    @abstractmethod
    def overlaps(
        self, sources: Sequence[str], wanted: Sequence[str], written: Sequence[str]
    ) -> "Mapping[str, Overlap]":
        """Return each metric with its counts, by name.

        Args:
            sources: what was read.
            wanted: what should have been written.
            written: what was.
        """

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return every metric."""
        return {name: overlap.value for name, overlap in self._overlaps(frame, predictions).items()}

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return every metric with its interval; rows are resampled by their own counts, the same rows for each."""
        found = self._overlaps(frame, predictions)
        return Scores(
            {name: overlap.value for name, overlap in found.items()},
            {name: overlap.interval(seed=seed) for name, overlap in found.items()},
            {},
        )

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set what was written beside what was wanted; a row is correct where they are the same.

        The task's metric of each row by itself is added under the metric's name.
        """
        import pandas as pd

        written = [p.text for p in predictions]
        table = pd.DataFrame(
            {
                "id": frame["id"],
                "text": frame[self.source],
                "gold": frame[self.target],
                "label": written,
                "score": [p.score for p in predictions],
            }
        )
        table["correct"] = table["gold"].str.strip() == table["label"]
        table[self.row_metric] = self._overlaps(frame, predictions)[self.row_metric].each
        return table

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return the counts that every metric is made of, the main one first."""
        from lmcore.tasks.overlap import tally_overlaps

        texts = (table[name].tolist() for name in ("text", "gold", "label"))
        return tally_overlaps(self.overlaps(*texts), first=self.main_metric)

    def _overlaps(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "Mapping[str, Overlap]":
        written = [p.text for p in predictions]
        return self.overlaps(frame[self.source].tolist(), frame[self.target].tolist(), written)


def copies(ids: Sequence[int], texts: Sequence[str]) -> list[Prediction]:
    """Return texts as if a model had written them."""
    return [Prediction(int(row), text=text) for row, text in zip(ids, texts, strict=True)]
