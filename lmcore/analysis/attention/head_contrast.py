"""Two attention heads side by side: row by row, with the difference."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.analysis.attention.maps import AttentionMaps
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint

Head = tuple[int, int]


@dataclass(frozen=True, eq=False)
class HeadContrast:
    """What two heads of one model make of one text.

    Attributes:
        maps: of all heads.
        first: a head, as its layer and its place in it, both counted from 1.
        second: the other.
        distances: of each row, the Jensen-Shannon distance of both heads' attention, float64 of shape (rows,): 0 where both
            look alike, 1 where no token is looked at by both (Endres & Schindelin 2003; logarithms to base 2).
        correlation: Pearson's, of both maps' weights over all cells, -1 to 1; not a number where a map is flat.
        fingerprint: of the maps and both heads.
    """

    maps: AttentionMaps
    first: Head
    second: Head
    distances: np.ndarray
    correlation: float
    fingerprint: str

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Both heads' maps, float64 of shape (rows, columns); rows sum to 1."""
        return _weights(self.maps, self.first), _weights(self.maps, self.second)

    @property
    def difference(self) -> np.ndarray:
        """The second head's map less the first's, shape (rows, columns); rows sum to 0."""
        first, second = self.weights
        change: np.ndarray = second - first
        return change

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each cell: ``row`` and ``column`` (from 1), their tokens, both weights and the difference."""
        first, second = self.weights
        rows, columns = (places.ravel() for places in np.indices(first.shape))
        frame = pd.DataFrame({"row": rows + 1, "column": columns + 1})
        frame["from"] = [self.maps.rows[row] for row in rows]
        frame["to"] = [self.maps.tokens[column] for column in columns]
        return frame.assign(first=first.ravel(), second=second.ravel(), difference=(second - first).ravel())

    def by_row(self) -> pd.DataFrame:
        """Return a row for each token that looks: ``row`` (from 1), ``token`` and ``distance``."""
        places = range(1, len(self.distances) + 1)
        return pd.DataFrame({"row": places, "token": list(self.maps.rows), "distance": self.distances})


def contrast_heads(maps: AttentionMaps, first: Head, second: Head) -> HeadContrast:
    """Set two heads of one model side by side on one text.

    Args:
        maps: of every head; see `lmcore.analysis.attention_maps`.
        first: a head, as its layer and its place in it, both counted from 1.
        second: the other.

    Raises:
        InputError: there is no such head.
    """
    one, two = _weights(maps, first), _weights(maps, second)
    middle = (one + two) / 2
    divergence = (_divergence(one, middle) + _divergence(two, middle)) / 2
    flat = np.ptp(one) == 0 or np.ptp(two) == 0
    correlation = float("nan") if flat else float(np.corrcoef(one.ravel(), two.ravel())[0, 1])
    distances = np.sqrt(np.clip(divergence, 0.0, 1.0))
    return HeadContrast(maps, first, second, distances, correlation, fingerprint(maps.fingerprint, first, second))


def _weights(maps: AttentionMaps, head: Head) -> np.ndarray:
    layers, heads = maps.attentions.shape[:2]
    layer, place = head
    if not 1 <= layer <= layers or not 1 <= place <= heads:
        raise InputError(f"There is no head {layer}.{place}: the model has {layers} layers of {heads} heads, from 1.1.")
    return maps.head(layer - 1, place - 1).astype(np.float64)


def _divergence(weights: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the Kullback-Leibler divergence of each row in bits; where a weight is 0, it adds nothing."""
    ratio = np.divide(weights, other, out=np.ones_like(weights), where=weights > 0)
    found: np.ndarray = (weights * np.log2(ratio)).sum(axis=-1)
    return found
