"""Factors: a few patterns of which a layer's activations are sums, by non-negative factorisation (Lee & Seung 1999)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lmcore.analysis.probes.examples import Examples, Source
from lmcore.analysis.probes.vectors import layer_vectors
from lmcore.analysis.probes.words import every_word
from lmcore.errors import DataError, InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import encode_texts
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Part, Report, Silent

ITERATIONS = 300
MOST = 3000
TOP = 20


@dataclass(frozen=True, eq=False)
class Factorisation:
    """A non-negative array as a product of two.

    Attributes:
        weights: how much each example has of each factor, float64 of shape (examples, factors), 0 or more.
        patterns: each factor's features, float64 of shape (factors, features), 0 or more; each of length 1.
        error: Frobenius norm of what is left, as a share of that of the array, 0 to 1.
    """

    weights: np.ndarray
    patterns: np.ndarray
    error: float


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of one layer over some texts.

    Attributes:
        top: ``factor`` (from 1, the one that holds most first), ``share`` of all weights that it holds, ``rank`` from 1,
            ``row`` (the text's number from 0), ``text``, and ``word``, empty where whole texts were factored; ``weight``.
        weights: float32 of shape (examples, factors), the factors in the same order.
        directions: what each factor adds to the layer's vector in standard deviations of its features: positive features
            less negative ones, float32 of shape (factors, features).
        layer: which layer, 0 being the embeddings.
        level: whether words or whole texts were factored.
        error: share of the activations that is left, 0 to 1.
        fingerprint: hash of weights, texts and settings.
    """

    top: pd.DataFrame
    weights: np.ndarray
    directions: np.ndarray
    layer: int
    level: Literal["word", "text"]
    error: float
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the strongest examples of each factor."""
        return self.top


def factorise(x: np.ndarray, factors: int, *, seed: int = 0) -> Factorisation:
    """Write a non-negative array as a sum of a few non-negative patterns (coordinate descent from an SVD).

    Args:
        x: shape (examples, features), 0 or more.
        factors: how many; at most as many as there are examples and features.
        seed: of the start.

    Raises:
        InputError: a value is negative or not finite.
        OptionError: there are more factors than examples or features.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all() or x.min() < 0:
        raise InputError("The activations are not a table of finite numbers from 0 on: cut or split the negative ones.")
    if not 1 <= factors <= min(x.shape):
        raise OptionError(f"The number of factors is {factors}: give one from 1 to {min(x.shape)}.")
    norm = float(np.linalg.norm(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is a part of the method
        model = NMF(factors, init="nndsvda" if norm else "random", max_iter=ITERATIONS, random_state=seed)
        weights = model.fit_transform(x)
    lengths = np.linalg.norm(model.components_, axis=1)
    patterns = model.components_ / np.maximum(lengths, 1e-12)[:, None]
    weights = weights * lengths
    error = float(np.linalg.norm(x - weights @ patterns)) / norm if norm else 0.0
    return Factorisation(weights, patterns, error)


def split_signs(x: np.ndarray) -> np.ndarray:
    """Return vectors (examples, features) with each feature in standard deviations from its mean, as two: above, and below.

    Nothing is lost, and the result, of shape (examples, 2 × features), is non-negative.
    """
    x = np.asarray(x, dtype=np.float64)
    spread = x.std(axis=0)
    standard = np.divide(x - x.mean(axis=0), spread, out=np.zeros_like(x), where=spread > 1e-9)
    return np.hstack([np.maximum(standard, 0), np.maximum(-standard, 0)])


def find_factors(
    loaded: LoadedModel,
    texts: Sequence[str],
    *,
    layer: int = -1,
    factors: int = 8,
    level: Literal["word", "text"] = "word",
    seed: int = 0,
    most: int = MOST,
    top: int = TOP,
    report: Report | None = None,
) -> Factors:
    """Find a few factors of which the vectors of words, or of texts, in a layer are sums.

    Args:
        loaded: any model; of an encoder-decoder the encoder is read.
        texts: what it reads.
        layer: 0 for the embeddings up to the last; -1 is the last.
        factors: how many.
        level: ``word`` for the mean vectors of words' tokens, ``text`` for those of whole texts.
        seed: of the draw of texts and of the start.
        most: the most words or texts that are factored; more are drawn from, whole texts at a time.
        top: how many of the strongest examples of each factor are named.
        report: progress and cancellation.

    Raises:
        DataError: there are no texts, or no words in them.
        OptionError: there is no such layer, or there are too many factors.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    place = layer if layer >= 0 else loaded.layers + 1 + layer
    if not 0 <= place <= loaded.layers:
        raise OptionError(f"The layer is {layer}: give one from 0 to {loaded.layers}, or -1 for the last.")
    numbers, part = _examples(loaded, texts, level, most, seed)
    with layer_vectors(loaded, {"texts": part}, Part(report, 0.0, 0.7), layers=[place]) as vectors:
        x = vectors.layer("texts", 0)
    report.check()
    report.progress(0.7, f"Factoring {len(x)} {level}s")
    split = split_signs(x)
    found = factorise(split, factors, seed=seed)
    order = np.argsort(-found.weights.sum(axis=0), kind="stable")
    weights, patterns = found.weights[:, order], found.patterns[order]
    features = x.shape[1]
    digits = fingerprint(loaded.fingerprint, part.encodings.ids, place, factors, level, seed, most)
    return Factors(
        top=_top(weights, part, [texts[n] for n in numbers], numbers, level, top),
        weights=weights.astype(np.float32),
        directions=(patterns[:, :features] - patterns[:, features:]).astype(np.float32),
        layer=place,
        level=level,
        error=found.error,
        fingerprint=digits,
    )


def _examples(
    loaded: LoadedModel, texts: Sequence[str], level: str, most: int, seed: int
) -> tuple[list[int], Examples]:
    """Return which texts are read, and their examples."""
    if not texts:
        raise DataError("There are no texts: give some to factor.")
    if level == "text":
        rng = np.random.default_rng(seed)
        numbers = sorted(rng.choice(len(texts), min(most, len(texts)), replace=False).tolist())
        read = [texts[n] for n in numbers]
        encodings = encode_texts(loaded.tokenizer, read, loaded.max_length)
        values = np.full(len(read), "", dtype=object)
        return numbers, Examples(encodings, values, tuple(read), np.arange(len(read)))
    frame = pd.DataFrame({"id": np.arange(len(texts)), "text": pd.Series(list(texts), dtype="str")})
    task = load_task("text-classification")
    source = Source({"texts": frame}, task, loaded.tokenizer, loaded.max_length, seed, most)
    return every_word(source, "texts")


def _top(
    weights: np.ndarray, part: Examples, texts: Sequence[str], numbers: Sequence[int], level: str, top: int
) -> pd.DataFrame:
    shares = weights.sum(axis=0) / max(float(weights.sum()), 1e-300)
    rows = []
    for factor, each in enumerate(weights.T):
        for rank, example in enumerate(np.argsort(-each, kind="stable")[:top], 1):
            text = int(part.texts[example])
            word = part.types[example] if level == "word" else ""
            row = (factor + 1, float(shares[factor]), rank, numbers[text], texts[text], word, float(each[example]))
            rows.append(row)
    return pd.DataFrame(rows, columns=["factor", "share", "rank", "row", "text", "word", "weight"])
