"""One vector for each word of a sentence, at every layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmcore.models.encode import Encodings, counted
from lmcore.models.hidden import BATCH_SIZE, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.types import Part, Report, Silent


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of the words of some sentences.

    Attributes:
        values: for each sentence float32 of shape (layers, words, features); not-a-number for a word that the model did not
            read.
        encodings: the sentences' tokens; ``truncated`` says which were cut.
    """

    values: list[np.ndarray]
    encodings: Encodings


def word_vectors(
    loaded: LoadedModel,
    sentences: Sequence[Sequence[str]],
    layers: Sequence[int],
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> WordVectors:
    """Return the mean vector of each word's tokens.

    Args:
        loaded: an encoder, or another model with hidden states.
        sentences: words.
        layers: which layers, 0 being the embeddings.
        batch_size: sentences in one pass.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    whole = [range(len(sentences))]
    encodings, groups = stream_word_vectors(loaded, sentences, layers, whole, batch_size=batch_size, report=report)
    return WordVectors(next(groups), encodings)


def stream_word_vectors(
    loaded: LoadedModel,
    sentences: Sequence[Sequence[str]],
    layers: Sequence[int],
    groups: Sequence[Sequence[int]],
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> tuple[Encodings, Iterator[list[np.ndarray]]]:
    """Return the sentences' tokens, and their words' vectors group by group, so that memory holds those of one group.

    Args:
        loaded: an encoder, or another model with hidden states.
        sentences: words.
        layers: which layers, 0 being the embeddings.
        groups: which sentences are read together, by their places.
        batch_size: sentences in one pass.
        report: progress and cancellation.

    Returns:
        The tokens of all sentences, and an iterator that gives for each group what `WordVectors.values` has, in the order of
        the group. It raises `Cancelled` where the report asked to stop.
    """
    encodings, owners = _encode(loaded, sentences)

    def read() -> Iterator[list[np.ndarray]]:
        done = 0
        for group in groups:
            stretch = _Stretch(report or Silent(), done, len(group), len(encodings))
            sizes = [len(sentences[place]) for place in group]
            own = [owners[place] for place in group]
            yield _read(loaded, encodings.taken(group), own, sizes, layers, batch_size, stretch)
            done += len(group)

    return encodings, read()


def encode_words(
    loaded: LoadedModel, stretches: Sequence[Sequence[tuple[int, int]]], texts: Sequence[str]
) -> Encodings:
    """Return texts' tokens as their words' vectors are made of, with the characters of each token as the note ``offsets``.

    Args:
        loaded: the model.
        stretches: first character and the one behind the last of each text's words.
        texts: the same number of texts.
    """
    words = [[text[a:b] for a, b in own] for text, own in zip(texts, stretches, strict=True)]
    encodings, owners = _encode(loaded, words)
    out = loaded.tokenizer(
        words, is_split_into_words=True, truncation=True, max_length=loaded.max_length, return_offsets_mapping=True
    )
    offsets = []
    for own, owner, places in zip(stretches, owners, out["offset_mapping"], strict=True):
        begin = [own[word][0] if word >= 0 else 0 for word in owner]
        end = [own[word][1] if word >= 0 else 0 for word in owner]
        offsets.append(
            [(b + a0, min(b + a1, e)) if e else (0, 0) for b, e, (a0, a1) in zip(begin, end, places, strict=True)]
        )
    return replace(encodings, notes={"offsets": offsets})


def cosines(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the cosine of each word of one sentence with each of another, float32 of shape (source, target)."""
    unit = [x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12) for x in (source, target)]
    found: np.ndarray = unit[0] @ unit[1].T
    return found


def _encode(loaded: LoadedModel, sentences: Sequence[Sequence[str]]) -> tuple[Encodings, list[np.ndarray]]:
    """Return the sentences' tokens, and for each token which word it is of, or -1."""
    if not sentences:
        return counted(loaded.tokenizer, []), []
    out = loaded.tokenizer(
        [list(words) or [""] for words in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=loaded.max_length,
        return_overflowing_tokens=True,
    )
    owner = np.asarray(out["overflow_to_sample_mapping"])
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    encodings = counted(
        loaded.tokenizer,
        [out["input_ids"][i] for i in first],
        truncated=np.bincount(owner, minlength=len(sentences)) > 1,
    )
    words = [[-1 if word is None else word for word in out.word_ids(int(i))] for i in first]
    return encodings, [np.array(each, dtype=np.int64) for each in words]


def _read(
    loaded: LoadedModel,
    encodings: Encodings,
    owners: Sequence[np.ndarray],
    sizes: Sequence[int],
    layers: Sequence[int],
    batch_size: int,
    report: Report,
) -> list[np.ndarray]:
    """Return the mean vector of each word's tokens, a sentence's in one array; ``sizes`` are their numbers of words."""
    width = int(loaded.model.base_model.config.hidden_size)
    found = [np.full((len(layers), size, width), np.nan, dtype=np.float32) for size in sizes]
    for batch in stream_hidden_states(loaded, encodings, batch_size=batch_size, report=report):
        states = np.stack([batch.states[layer].float().cpu().numpy() for layer in layers])
        for place, row in enumerate(batch.rows):
            owner = owners[row]
            for word in np.unique(owner[owner >= 0]):
                tokens = np.flatnonzero(owner == word)
                found[row][:, word] = states[:, place, tokens].mean(axis=1)
    return found


class _Stretch(Part):
    """The report of a group: it counts the sentences among all of them."""

    def __init__(self, whole: Report, before: int, size: int, total: int) -> None:
        super().__init__(whole, before / max(total, 1), (before + size) / max(total, 1))
        self._before, self._size, self._total = before, size, total

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how many sentences have been read altogether."""
        done = self._before + round(self._size * fraction)
        super().progress(fraction, f"{done} of {self._total} texts read by the model")
