"""Text alignment: which words of a sentence and its translation belong together, without any training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lmcore.errors import DataError
from lmcore.tasks.base import Column, Task
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.link_counts import (
    COUNTS,
    gold_links,
    link_bootstrap,
    link_figures,
    matrix_links,
    pair_counts,
    prediction_counts,
)
from lmcore.tasks.links import LinkName, Stretch, read_links, word_stretches, write_links
from lmcore.tasks.predicted import Predicted
from lmcore.types import Prediction, Report, Span, Target

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.tally import Tally

LAYER = "alignment_layer"
WORDS_AT_ONCE = 4096


class TextAlignment(Task):
    """Links the words of two sentences whose vectors in one layer of an encoder are alike.

    Args:
        method: how links are made of similarities, out of `lmcore.models.linking.ALIGNMENT`.
        options: its options.
        layer: whose vectors; where None the one that was chosen on dev, and the middle one where none was.
    """

    name = "text-alignment"
    title = "Text alignment"
    learns = False
    main_metric = "aer"
    editable = False
    spans_in = "source"
    plain_text = "lmcore.data.parallel:read_parallel"
    columns = (
        Column("source", "a sentence", ("source", "src", "english", "en", "原文")),
        Column("target", "its translation", ("target", "tgt", "translation", "french", "fr", "译文")),
        Column(
            "links",
            "which words belong together: 0-2 for word 0 and word 2, 0p2 where it is only possible",
            ("links", "alignment", "gold"),
            required=False,
            role="answers",
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("aer", "Alignment error rate", higher=False),
        Metric("precision", "Precision"),
        Metric("recall", "Recall"),
    )

    def __init__(
        self, method: str = "argmax", options: Mapping[str, object] | None = None, layer: int | None = None
    ) -> None:
        self.method, self.options, self.layer = method, dict(options or {}), layer

    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse rows without links, and links to words that are not there."""
        if "links" not in frame.columns:
            raise DataError(f"{what} has no column links: alignments are measured on pairs whose words are linked.")
        for place in range(len(frame)):
            gold_links(frame, place)

    def model_class(self) -> Any:
        """Return transformers' auto class of models without a head."""
        from transformers import AutoModel

        return AutoModel

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return nothing: there is no head."""
        return {}

    def settings(self, loaded: "LoadedModel") -> dict[str, Any]:
        """Return the method, its options and the layer."""
        from lmcore.models.linking import ALIGNMENT

        options = ALIGNMENT[self.method].check(self.options)
        return {"method": self.method, **options, "layer": self.layer_of(loaded)}

    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Encode the sources, as a model reads them for a map or for activations."""
        from lmcore.models.encode import encode_texts

        return encode_texts(tokenizer, frame["source"].tolist(), max_length)

    def layer_of(self, loaded: "LoadedModel") -> int:
        """Return the layer whose vectors are compared, 0 being the embeddings."""
        from lmcore.errors import OptionError

        chosen = self.layer if self.layer is not None else getattr(loaded.model.config, LAYER, None)
        layer = loaded.layers // 2 if chosen is None else int(chosen)
        if not 0 <= layer <= loaded.layers:
            raise OptionError(f"The layer is {layer}: give 0 to {loaded.layers}.")
        return layer

    def predict(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> Predicted:
        """Link the words of each pair.

        A prediction's text has the links, and a span of the source for each of them the linked word of the target. In rows
        without a column ``links`` punctuation is a word of its own.
        """
        from lmcore.models.linking import find_links
        from lmcore.models.word_vectors import cosines

        pairs = _stretches(frame, raw="links" not in frame.columns)
        encodings, vectors = _vectors(loaded, frame, pairs, [self.layer_of(loaded)], batch_size, report)
        found: list[Prediction] = []
        for row, (source, target) in enumerate(vectors):
            similarity = cosines(source[0], target[0])
            linked = find_links(similarity, self.method, self.options)
            found.append(_prediction(frame, row, *pairs[row], linked, similarity))
        return Predicted(found, encodings)

    def encode_apart(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> "Encodings":
        """Encode both sentences word by word, as `predict` does where no links are given."""
        from lmcore.models.word_vectors import encode_words

        texts = [str(frame[name].iloc[0]) for name in ("source", "target")]
        return encode_words(loaded, [word_stretches(text, raw=True) for text in texts], texts)

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return the links that were found."""
        measure = "probability" if self.method == "softmax" else "cosine"
        links = sorted(read_links(prediction.text).sure)
        return [
            Target("link", str(LinkName(*link, self.layer, measure)), span.start, span.end)
            for link, span in zip(links, prediction.spans, strict=True)
        ]

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return a link's cosine or probability, less that of the link that it is held against.

        Raises:
            InputError: there is no such link, or one of its words was not read.
            OptionError: the model has no such layer.
        """
        from lmcore.models.link_value import link_value

        link = LinkName.parse(target.label)
        layer = TextAlignment(layer=self.layer if link.layer is None else link.layer).layer_of(loaded)
        states = out.states[:, layer]
        value = link_value(states, reading, link)
        if not target.against:
            return value
        other = LinkName.parse(target.against)
        return value - link_value(states, reading, replace(other, measure=link.measure))

    def probability(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return a link's value, 0 to 1; against another one the softmax of both."""
        from lmcore.models.link_value import TEMPERATURE

        value = self.objective(loaded, out, reading, target)
        return (value / TEMPERATURE).sigmoid() if target.against else value.clamp(0, 1)

    def tune(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> dict[str, float]:
        """Choose the layer with the lowest alignment error rate; nothing where the layer is given or no row has links."""
        if self.layer is not None or "links" not in frame.columns or frame.empty:
            return {}
        return {LAYER: int(np.argmin(self.layer_errors(loaded, frame)))}

    def layer_errors(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> list[float]:
        """Return the alignment error rate of each layer, the embeddings first."""
        counts, _ = self.layer_counts(loaded, frame)
        errors: list[float] = link_figures(counts.sum(axis=1))["aer"].tolist()
        return errors

    def layer_counts(
        self, loaded: "LoadedModel", frame: "pd.DataFrame", *, batch_size: int = 32, report: Report | None = None
    ) -> "tuple[np.ndarray, Encodings]":
        """Count, for each layer, the links that it makes in each pair and those of them that are right.

        Args:
            loaded: the model; it reads each sentence once for all layers.
            frame: pairs with links.
            batch_size: sentences in one pass.
            report: progress and cancellation.

        Returns:
            float64 of shape (layers, pairs, 4), the embeddings first, see `lmcore.tasks.link_counts.COUNTS`; and what the
            model read, the sources first and then the targets.

        Raises:
            DataError: a row's links cannot be read.
        """
        from lmcore.models.linking import find_links
        from lmcore.models.word_vectors import cosines

        gold = [gold_links(frame, row) for row in range(len(frame))]
        layers = list(range(loaded.layers + 1))
        encodings, vectors = _vectors(loaded, frame, _stretches(frame, raw=False), layers, batch_size, report)
        counts = np.zeros((len(layers), len(frame), len(COUNTS)))
        for row, (source, target) in enumerate(vectors):
            for layer in layers:
                linked = find_links(cosines(source[layer], target[layer]), self.method, self.options)
                counts[layer, row] = pair_counts(set(matrix_links(linked)), gold[row])
        return counts, encodings

    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return alignment error rate, precision and recall over the links of all rows together."""
        counts = prediction_counts(frame, predictions).sum(axis=0)
        return {name: float(value) for name, value in link_figures(counts).items()}

    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Return the metrics with their intervals over resampled pairs."""
        (ends,) = link_bootstrap(prediction_counts(frame, predictions)[None], seed=seed)
        return Scores(self.measure(frame, predictions, labels), ends, {})

    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set the links that were found beside those of the rows; what each row adds to the sums is added."""
        import pandas as pd

        gold = frame["links"] if "links" in frame.columns else pd.Series("", index=frame.index)
        table = pd.DataFrame(
            {
                "id": frame["id"].to_numpy(),
                "text": self.texts(frame).to_numpy(),
                "gold": gold.to_numpy(),
                "label": [p.text for p in predictions],
                "score": [p.score for p in predictions],
            }
        )
        counts = prediction_counts(frame, predictions)
        table["correct"] = (counts[:, 0] == counts[:, 3]) & (counts[:, 1] == counts[:, 2])
        for place, name in enumerate(COUNTS):
            table[name] = counts[:, place]
        return table

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return the counts of links that the metrics are made of."""
        from lmcore.tasks.tally import Tally

        return Tally(table[list(COUNTS)].to_numpy(dtype=float), link_figures)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the diagonal: words linked by their place alone."""
        return {"diagonal": self.diagonal(test)}

    def diagonal(self, frame: "pd.DataFrame") -> list[Prediction]:
        """Link the words of each pair by their place alone, without a model."""
        from lmcore.models.linking import diagonal_links

        found: list[Prediction] = []
        for row, (source, target) in enumerate(_stretches(frame, raw=False)):
            linked = diagonal_links(len(source), len(target))
            found.append(_prediction(frame, row, source, target, linked, linked.astype(float)))
        return found


_Pair = tuple[list[Stretch], list[Stretch]]


def _stretches(frame: "pd.DataFrame", *, raw: bool) -> list[_Pair]:
    return [
        (word_stretches(source, raw=raw), word_stretches(target, raw=raw))
        for source, target in zip(frame["source"], frame["target"], strict=True)
    ]


def _vectors(
    loaded: "LoadedModel",
    frame: "pd.DataFrame",
    pairs: Sequence[_Pair],
    layers: Sequence[int],
    batch_size: int,
    report: Report | None,
) -> "tuple[Encodings, Iterator[tuple[np.ndarray, np.ndarray]]]":
    """Return all sentences as the model saw them, and pair by pair the vectors of the words on both sides.

    Pairs are read in groups that do not depend on the layers, so that one layer's vectors are the same to the last bit
    whichever layers are asked for with it.
    """
    from lmcore.models.word_vectors import stream_word_vectors

    words = [
        [text[start:end] for start, end in pair[side]]
        for side, name in enumerate(("source", "target"))
        for text, pair in zip(frame[name], pairs, strict=True)
    ]
    groups = _groups(pairs)
    both = [[*group, *(len(pairs) + row for row in group)] for group in groups]
    encodings, streamed = stream_word_vectors(loaded, words, layers, both, batch_size=batch_size, report=report)

    def read() -> "Iterator[tuple[np.ndarray, np.ndarray]]":
        for group, found in zip(groups, streamed, strict=True):
            yield from zip(found[: len(group)], found[len(group) :], strict=True)

    return encodings, read()


def _groups(pairs: Sequence[_Pair]) -> list[list[int]]:
    """Return which pairs are read together, in their order: as many as have about `WORDS_AT_ONCE` words."""
    before = np.cumsum([len(source) + len(target) for source, target in pairs])
    places = (before // WORDS_AT_ONCE).tolist()
    return [[row for row, _ in group] for _, group in groupby(enumerate(places), key=itemgetter(1))]


def _prediction(
    frame: "pd.DataFrame",
    row: int,
    source: Sequence[tuple[int, int]],
    target: Sequence[tuple[int, int]],
    linked: np.ndarray,
    similarity: np.ndarray,
) -> Prediction:
    links = matrix_links(linked)
    text = str(frame["target"].iloc[row])
    spans = tuple(
        Span(source[i][0], source[i][1], text[slice(*target[j])], float(np.clip(similarity[i, j], 0, 1)))
        for i, j in links
    )
    score = float(np.mean([span.score for span in spans])) if spans else 0.0
    return Prediction(int(frame["id"].iloc[row]), score=score, spans=spans, text=write_links(links))
