"""Metrics that are ratios of sums over rows, with bootstrap intervals."""

from collections.abc import Callable, Mapping

import numpy as np

RESAMPLES = 1000
_CELLS = 4_000_000

Figures = Mapping[str, np.ndarray]


def summed(statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the sum over the rows of each statistic, as arrays without dimensions."""
    return {name: np.asarray(values.sum(), dtype=np.float64) for name, values in statistics.items()}


def bootstrap(
    statistics: Mapping[str, np.ndarray], figures: Callable[[Figures], Figures], *, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval of metrics over resampled rows (Efron 1979).

    Args:
        statistics: what each row adds to a sum, float64 of shape (rows,), by name.
        figures: turns sums, each of shape (resamples,), into metrics of the same shape.
        seed: of the resampling.

    Returns:
        The lower and upper end of each metric that has a value; both are the metric itself where there is one row alone.
    """
    table = np.stack([np.asarray(values, dtype=np.float64) for values in statistics.values()], axis=1)
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // len(table))
    shares = np.full(len(table), 1 / len(table))
    sums = np.concatenate(
        [
            rng.multinomial(len(table), shares, size=min(step, RESAMPLES - start)) @ table
            for start in range(0, RESAMPLES, step)
        ]
    )
    spread = figures(dict(zip(statistics, sums.T, strict=True)))
    known = {name: values[np.isfinite(values)] for name, values in spread.items()}
    ends = {name: np.percentile(values, [2.5, 97.5]) for name, values in known.items() if len(values)}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def divided(top: np.ndarray, bottom: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Divide, with a value of its own where there is nothing to divide by."""
    out: np.ndarray = np.divide(top, bottom, out=np.full(np.shape(top), empty), where=np.asarray(bottom) > 0)
    return out
