"""Which words of a sentence and its translation a model holds to belong together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.linking import ALIGNMENT, find_links
from lmcore.models.load import LoadedModel
from lmcore.models.word_vectors import cosines, word_vectors
from lmcore.tasks.alignment import TextAlignment
from lmcore.tasks.links import word_stretches
from lmcore.types import Part, Report, Silent, count_of

_READ = 0.9  # of the way: both sentences were read


@dataclass(frozen=True, eq=False)
class WordAlignment:
    """Links between the words of two sentences.

    Attributes:
        source: the words of the first sentence.
        target: the words of the second one.
        links: pairs of places, source and target, counted from 0, in the order of the source.
        similarity: cosines of the words' vectors, float32 of shape (source words, target words); not-a-number for a word that
            the model did not read.
        layer: whose vectors were compared, 0 being the embeddings.
        method: how the links were made.
        truncated: whether a sentence was longer than the model's limit and its end was not read.
        fingerprint: hash of weights, words and parameters.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    similarity: np.ndarray
    layer: int
    method: str
    truncated: bool
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each pair of words: ``source``, ``target``, their places, ``similarity`` and ``linked``."""
        i, j = (places.ravel() for places in np.indices(self.similarity.shape))
        linked = set(self.links)
        return pd.DataFrame(
            {
                "source": [self.source[place] for place in i],
                "target": [self.target[place] for place in j],
                "source_place": i,
                "target_place": j,
                "similarity": self.similarity.ravel(),
                "linked": [pair in linked for pair in zip(i.tolist(), j.tolist(), strict=True)],
            }
        )


def align_words(
    model: LoadedModel,
    source: str,
    target: str,
    *,
    layer: int | None = None,
    method: str = "argmax",
    report: Report | None = None,
    **options: object,
) -> WordAlignment:
    """Link the words of two sentences.

    Words are set apart by white space and punctuation; each Chinese character is a word.

    Args:
        model: an encoder; no training for the task is needed.
        source: a sentence.
        target: the same in another language or in other words.
        layer: whose vectors are compared, 0 being the embeddings; the middle one where None.
        method: a name out of `lmcore.models.linking.ALIGNMENT`.
        report: progress and cancellation, between the sentences.
        options: of the method.

    Raises:
        InputError: a sentence has no words.
        UnknownError: there is no such method.
        OptionError: the model has no such layer, or an option is not valid.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    chosen = ALIGNMENT[method].check(options)
    layer = TextAlignment(layer=layer).layer_of(model)
    words = []
    for name, text in (("source", source), ("target", target)):
        words.append([text[start:end] for start, end in word_stretches(text, raw=True)])
        if not words[-1]:
            raise InputError(f"The {name} has no words: give a sentence.")
    found = word_vectors(model, words, [layer], batch_size=1, report=Part(report, 0.0, _READ))
    similarity = cosines(found.values[0][0], found.values[1][0])
    report.check()
    i, j = np.nonzero(find_links(similarity, method, chosen))
    report.progress(1.0, f"{count_of(len(i), 'link')} found")
    return WordAlignment(
        source=tuple(words[0]),
        target=tuple(words[1]),
        links=tuple(zip(i.tolist(), j.tolist(), strict=True)),
        similarity=similarity,
        layer=layer,
        method=method,
        truncated=bool(found.encodings.truncated.any()),
        fingerprint=fingerprint(model.fingerprint, words, layer, method, chosen),
    )
