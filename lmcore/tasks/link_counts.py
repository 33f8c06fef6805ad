"""How many links are found and right: the counts that alignment error rate, precision and recall are made of."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import DataError
from lmcore.tasks.links import Link, Links, read_links, word_stretches
from lmcore.tasks.predicted import row_number
from lmcore.tasks.ratios import bootstrap, divided
from lmcore.types import Prediction

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("found", "sure", "sure_found", "possible_found")
"""What a pair adds: links found, sure links, and found ones that are sure and that are possible."""

METRICS = ("aer", "precision", "recall")


def gold_links(frame: "pd.DataFrame", place: int) -> Links:
    """Return the links of one row.

    Raises:
        DataError: they cannot be read, or name a word that the row does not have; the message names the row.
    """
    row, number = frame.iloc[place], row_number(frame, place)
    try:
        links = read_links(str(row["links"]))
    except DataError as error:
        raise DataError(f"Row {number}: {error}") from error
    sizes = [len(word_stretches(str(row[name]), raw=False)) for name in ("source", "target")]
    for link in sorted(links.possible):
        if link[0] >= sizes[0] or link[1] >= sizes[1]:
            raise DataError(
                f"Row {number} links word {link[0]} and word {link[1]}, but has {sizes[0]} and {sizes[1]} words, counted from "
                "0: words are set apart by white space, and each Chinese character is one."
            )
    return links


def matrix_links(linked: np.ndarray) -> list[Link]:
    """Return the links of a matrix, bool of shape (source words, target words), in the order of the source."""
    return list(zip(*(places.tolist() for places in np.nonzero(linked)), strict=True))


def pair_counts(found: set[Link], gold: Links) -> np.ndarray:
    """Return what one pair adds, float64 of shape (4,): see `COUNTS`."""
    return np.array([len(found), len(gold.sure), len(found & gold.sure), len(found & gold.possible)], dtype=float)


def prediction_counts(frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> np.ndarray:
    """Return what each row adds, float64 of shape (rows, 4); zeros where the rows have no links."""
    if "links" not in frame.columns or frame.empty:
        return np.zeros((len(frame), 4))
    return np.stack(
        [pair_counts(set(read_links(p.text).sure), gold_links(frame, row)) for row, p in enumerate(predictions)]
    )


def link_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Turn sums of counts, shape (…, 4), into the metrics, each of shape (…) and 0 to 1 (Och & Ney 2003)."""
    found, sure, sure_found, possible_found = (sums[..., n] for n in range(4))
    return {
        "aer": 1 - divided(sure_found + possible_found, found + sure, 1.0),
        "precision": divided(possible_found, found),
        "recall": divided(sure_found, sure),
    }


def link_bootstrap(counts: np.ndarray, *, seed: int) -> list[dict[str, tuple[float, float]]]:
    """Return the 95 % intervals of the metrics over resampled pairs, of several linkings by the same draws.

    Args:
        counts: what each pair adds in each linking, shape (linkings, pairs, 4).
        seed: of the resampling.

    Returns:
        For each linking the lower and upper end of each metric.
    """
    size = len(counts)
    statistics = {f"{place} {n}": counts[place, :, n] for place in range(size) for n in range(4)}

    def figures(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for place in range(size):
            own = link_figures(np.stack([sums[f"{place} {n}"] for n in range(4)], axis=-1))
            found |= {f"{place} {name}": values for name, values in own.items()}
        return found

    ends = bootstrap(statistics, figures, seed=seed)
    return [{name: ends[f"{place} {name}"] for name in METRICS} for place in range(size)]
