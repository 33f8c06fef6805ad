"""What each row adds to the sums that metrics are made of: enough to measure any resample or slice of the rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
MOST_RESAMPLES = 10_000
_BUDGET = 5_000_000
_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Tally:
    """The statistics of every row, and how their sums become metrics.

    Attributes:
        rows: what each row adds, float64 of shape (rows, statistics).
        read: turns sums of shape (…, statistics) into metrics by name, each of shape (…). The first metric is one that
            any slice of the rows can be judged by.
    """

    rows: np.ndarray
    read: Callable[[np.ndarray], Mapping[str, np.ndarray]]

    def figures(self) -> dict[str, float]:
        """Return the metrics of all rows."""
        return {name: float(value) for name, value in self.read(self.rows.sum(axis=0)).items()}

    def part(self, chosen: np.ndarray) -> "Tally":
        """Return the tally of some rows, named by a mask or by their positions."""
        return Tally(self.rows[chosen], self.read)


def resampled_sums(rows: np.ndarray, *, seed: int) -> np.ndarray:
    """Return sums over bootstrap resamples of rows (Efron 1979).

    Resampling rows with replacement changes the sums exactly as a multinomial draw of the distinct rows does, so that
    there is no loop over rows. Statistics that stand side by side in ``rows`` get the same draws: a difference of two
    of them is a paired one.

    Args:
        rows: what each row adds, shape (rows, statistics), at least one row.
        seed: of the draws.

    Returns:
        Shape (resamples, statistics); 10 000 resamples, down to 1 000 where there are many distinct rows.
    """
    cells, counts = np.unique(rows, axis=0, return_counts=True)
    resamples = int(np.clip(_BUDGET // len(cells), RESAMPLES, MOST_RESAMPLES))
    rng = np.random.default_rng(seed)
    sums = np.empty((resamples, rows.shape[1]))
    step = max(1, _CHUNK // len(cells))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        sums[start:stop] = rng.multinomial(len(rows), counts / len(rows), size=stop - start) @ cells
    return sums


def middle(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the stretch that holds the middle share of values; (nan, nan) where there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson(hits: float, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927); unlike the bootstrap it has a width where all or none are hits."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    share = hits / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    return max(0.0, centre - half), min(1.0, centre + half)
