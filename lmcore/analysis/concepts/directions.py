"""Concept activation vectors (Kim et al. 2018): the direction in a layer in which texts with a concept lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lmcore.analysis.concepts.sets import Concept
from lmcore.analysis.probes.examples import Examples
from lmcore.analysis.probes.vectors import layer_vectors
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import encode_texts
from lmcore.models.load import LoadedModel
from lmcore.types import Report, Silent

FOLDS = 5
MOST_TEXTS = 400


@dataclass(frozen=True, eq=False)
class ConceptVectors:
    """The direction of a concept in every layer.

    Attributes:
        concept: its texts.
        vectors: unit vectors towards the texts with the concept, float32 of shape (layers + 1, features), layer 0 being
            the embeddings; 0 in a layer where the texts do not differ.
        gaps: how far the texts with the concept lie from the others along it on average, shape (layers + 1,); above 0.
        accuracies: the share of texts of which the side that they lie on says whether they have the concept, by 5-fold
            cross-validation, both kinds counting alike; .5 is chance.
        fingerprint: hash of weights, texts and the seed.
    """

    concept: Concept
    vectors: np.ndarray
    gaps: np.ndarray
    accuracies: np.ndarray
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return ``concept``, ``layer``, ``accuracy`` and ``gap``."""
        return pd.DataFrame(
            {
                "concept": self.concept.name,
                "layer": np.arange(len(self.vectors)),
                "accuracy": self.accuracies,
                "gap": self.gaps,
            }
        )


class Directions:
    """The least-squares classifiers of any parts of some vectors against their rest (Fisher 1936).

    The scatter of all vectors, shrunk towards one that is the same every way (Ledoit & Wolf 2004), is factored once, so
    that thousands of random parts cost hardly more than one. Features are not scaled: a direction that lay along those
    that hardly vary would lead away from all texts.

    Args:
        x: shape (examples, features), finite.

    Raises:
        InputError: a value is not finite.
    """

    def __init__(self, x: np.ndarray) -> None:
        x = np.asarray(x, dtype=np.float64)
        if not np.isfinite(x).all():
            raise InputError(
                "A vector holds a value that is not finite: the model's weights or its precision are damaged."
            )
        self._x = x - x.mean(axis=0)

    def of(self, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return unit directions from the rest towards each part, and how far the two means lie apart along them.

        Args:
            parts: which examples are in each part, bool of shape (parts, examples).

        Returns:
            Shapes (parts, features) and (parts,), in the units of the vectors.
        """
        inside = parts.astype(np.float64)
        inside /= inside.sum(axis=1, keepdims=True)
        outside = (~parts).astype(np.float64)
        outside /= outside.sum(axis=1, keepdims=True)
        apart = (inside - outside) @ self._x
        normals = self._solve(apart)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        unit = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
        return unit, (apart * unit).sum(axis=1)

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        from scipy.linalg import cho_factor
        from sklearn.covariance import ledoit_wolf_shrinkage

        features = self._x.shape[1]
        share = max(float(ledoit_wolf_shrinkage(self._x, assume_centered=True)), 1e-3)
        scatter = self._x.T @ self._x / len(self._x)
        level = float(np.trace(scatter)) / features or 1.0
        factor: tuple[np.ndarray, bool] = cho_factor((1 - share) * scatter + share * level * np.eye(features))
        return factor

    def _solve(self, apart: np.ndarray) -> np.ndarray:
        from scipy.linalg import cho_solve

        found: np.ndarray = cho_solve(self._factor, apart.T).T
        return found


def concept_vectors(
    loaded: LoadedModel, concept: Concept, *, seed: int = 0, most: int = MOST_TEXTS, report: Report | None = None
) -> ConceptVectors:
    """Find a concept's direction in every layer, over mean token vectors.

    Args:
        loaded: any model; of an encoder-decoder the encoder is read.
        concept: texts with it and without.
        seed: of the folds, and of the draw where there are more texts than ``most``.
        most: the most texts with the concept, and without, that are read.
        report: progress and cancellation.

    Raises:
        InputError: a vector is not finite.
        Cancelled: the report asked to stop.
    """
    kept = concept.sample(most, seed=seed)
    has = np.arange(len(kept.texts) + len(kept.others)) < len(kept.texts)
    found = []
    for x in text_states(loaded, [*kept.texts, *kept.others], report or Silent()):
        unit, gap = Directions(x).of(has[None])
        found.append((unit[0], float(gap[0]), direction_accuracy(x, has, seed=seed)))
    vectors, gaps, shares = zip(*found, strict=True)
    digits = fingerprint(loaded.fingerprint, list(kept.texts), list(kept.others), seed)
    return ConceptVectors(kept, np.array(vectors, dtype=np.float32), np.array(gaps), np.array(shares), digits)


def text_states(
    loaded: LoadedModel, texts: Sequence[str], report: Report, *, layers: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Return the mean token vectors of texts, for each layer (all where None) float32 of shape (texts, features)."""
    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    values = np.full(len(texts), "", dtype=object)
    part = Examples(encodings, values, tuple(texts), np.arange(len(texts)))
    with layer_vectors(loaded, {"texts": part}, report, layers=layers) as vectors:
        return [vectors.layer("texts", layer) for layer in range(vectors.layers)]


def direction_accuracy(x: np.ndarray, has: np.ndarray, *, seed: int) -> float:
    """Return how well the side of the direction tells held-out examples apart, both kinds counting alike.

    Args:
        x: shape (examples, features).
        has: bool of shape (examples,).
        seed: of the five folds, each of which has as large a share of either kind as the whole.
    """
    rng = np.random.default_rng(seed)
    folds = np.empty(len(has), dtype=np.int64)
    for side in (has, ~has):
        folds[side] = rng.permutation(np.arange(side.sum()) % FOLDS)
    right = np.zeros(len(has), dtype=bool)
    for fold in range(FOLDS):
        held, known = folds == fold, folds != fold
        unit = Directions(x[known]).of(has[known][None])[0][0]
        places = x @ unit
        middle = (places[known & has].mean() + places[known & ~has].mean()) / 2
        right[held] = (places[held] > middle) == has[held]
    return float((right[has].mean() + right[~has].mean()) / 2)
