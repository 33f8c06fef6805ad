"""How alike the representations of layers are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.load import LoadedModel
from lmcore.types import Report

FEWEST = 3


@dataclass(frozen=True, eq=False)
class LayerSimilarity:
    """Linear CKA between all layers.

    Attributes:
        matrix: float64 of shape (layers + 1, layers + 1), 0 to 1, symmetric, 1 on the diagonal; layer 0 is the embeddings.
        rows: how many texts it was measured on.
        fingerprint: hash of weights and token ids.
    """

    matrix: np.ndarray
    rows: int
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return ``layer``, ``other``, ``similarity``."""
        layer, other = np.indices(self.matrix.shape)
        return pd.DataFrame({"layer": layer.ravel(), "other": other.ravel(), "similarity": self.matrix.ravel()})


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Measure how alike two sets of representations of the same examples are (Kornblith et al. 2019).

    Args:
        x: shape (examples, features).
        y: shape (examples, other features).

    Returns:
        0 to 1; 1 where one is a rotation and scaling of the other, 0 where they share nothing or one is constant.

    Raises:
        InputError: the numbers of examples differ, or are fewer than 2; or a value is not finite.
    """
    first, second = (np.asarray(a, dtype=np.float64) for a in (x, y))
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or len(first) < 2:
        raise InputError(
            f"The representations have the shapes {np.shape(x)} and {np.shape(y)}: give (examples, features) with the same "
            "examples, at least 2."
        )
    first, second = _centred(first), _centred(second)
    norms = [_scatter(a, a) for a in (first, second)]
    scale = float(np.sqrt(norms[0] * norms[1]))
    return float(np.clip(_scatter(first, second) / scale, 0.0, 1.0)) if scale > 0 else 0.0


def layer_similarity(loaded: LoadedModel, texts: Sequence[str], *, report: Report | None = None) -> LayerSimilarity:
    """Compare all layers' mean token vectors over some texts.

    Raises:
        InputError: there are fewer than 3 texts.
        Cancelled: the report asked to stop.
    """
    if len(texts) < FEWEST:
        raise InputError(f"There are {len(texts)} texts: comparing layers takes at least {FEWEST}.")
    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    states = mean_pooled_states(loaded, encodings, report=report)
    matrix = np.eye(len(states))
    for i in range(len(states)):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = linear_cka(states[i], states[j])
    return LayerSimilarity(matrix, len(texts), fingerprint(loaded.fingerprint, encodings.ids))


def _centred(x: np.ndarray) -> np.ndarray:
    """Centre the features and divide all by the largest deviation, so that squares neither overflow nor vanish."""
    if not np.isfinite(x).all():
        raise InputError("The representations have a value that is NaN or infinite: compute them again in float32.")
    centred: np.ndarray = x - x[0]  # exactly 0 where a feature is constant
    centred -= centred.mean(axis=0)
    largest = float(np.abs(centred).max(initial=0.0))
    return centred / largest if largest > 0 else centred


def _scatter(x: np.ndarray, y: np.ndarray) -> float:
    """Return ‖xᵀy‖² by whichever side is smaller."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return float(((x @ x.T) * (y @ y.T)).sum())
    return float(np.square(x.T @ y).sum())
