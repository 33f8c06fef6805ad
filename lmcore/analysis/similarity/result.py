"""How alike layers are: what a comparison found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class LayerSimilarity:
    """How alike the layers of a model are, to each other or to those of another model.

    Attributes:
        matrix: float64 of shape (layers + 1, other layers + 1), layer 0 being the embeddings; row: the first model. Within one
            model 1 on the diagonal, and symmetric where the method is.
        rows: how many examples it was measured on: texts, or tokens.
        fingerprint: hash of both models' weights, the token ids and the parameters.
        method: the measure's name; see `SIMILARITY`.
        options: the measure's options, all of them.
        model: the first model.
        other: the second model, or empty within one model.
        fingerprints: hashes of the weights, of one model or of both.
        pooling: what became of a text's tokens; see `POOLING`.
        batch: the most texts in a batch of the estimate; None where all were compared at once.
        seed: of the batches, of the tokens that were drawn, and of the shuffle behind ``chance``.
        texts: how many texts were read.
        low: the lowest value that the measure can take.
        chance: the mean value of layers with the same number after the texts of one side were shuffled: what unrelated layers
            reach on as many texts.
        notes: sentences on what to mind in reading the values.
    """

    matrix: np.ndarray
    rows: int
    fingerprint: str
    method: str = "linear_cka"
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    other: str = ""
    fingerprints: tuple[str, ...] = ()
    pooling: str = "mean"
    batch: int | None = None
    seed: int = 0
    texts: int = 0
    low: float = 0.0
    chance: float = 0.0
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return ``layer``, ``other``, ``similarity``."""
        layer, other = np.indices(self.matrix.shape)
        return pd.DataFrame({"layer": layer.ravel(), "other": other.ravel(), "similarity": self.matrix.ravel()})

    def by_layer(self) -> pd.DataFrame:
        """Return how alike layers with the same number are: ``layer``, ``similarity`` and ``change`` (1 less it).

        Of two models these are the layers that both have; within one model each is like itself.
        """
        return _changes(np.arange(min(self.matrix.shape)), np.diag(self.matrix))

    def by_step(self) -> pd.DataFrame:
        """Return how alike each layer from 1 on is to the one before it, of the second model where there are two.

        The columns are those of `by_layer`.
        """
        steps = np.diag(self.matrix, -1)
        return _changes(np.arange(1, len(steps) + 1), steps)


def _changes(layers: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"layer": layers, "similarity": similarity, "change": 1.0 - similarity})
