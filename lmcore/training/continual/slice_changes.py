"""How much better or worse one version does than another on each slice of the same rows."""

import numpy as np
import pandas as pd

from lmcore.tasks import load_task
from lmcore.tasks.figures import Metric
from lmcore.tasks.resampling import middle, resampled_sums, wilson
from lmcore.tasks.tally import Tally, like_tallies
from lmcore.training.evaluation import Evaluation
from lmcore.training.slices import LEAST_ROWS, LEVEL, is_share, slice_members


def compare_slices(
    before: Evaluation, after: Evaluation, frame: pd.DataFrame | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Compare two versions on every slice of the rows that both were measured on.

    Slices and their figure are those of `lmcore.training.slices.measure_slices`. Intervals of shares are Newcombe's, which
    have a width where no row changed; those of other figures are of a paired bootstrap, and slices of fewer than 20 rows are
    then not flagged.

    Args:
        before: of the one version.
        after: of the other, on the same rows.
        frame: the data set's rows, for its further columns; without it they are left out.
        seed: of the resampling.

    Returns:
        ``by``, ``slice``, ``rows``, ``metric``, ``before``, ``after``, ``difference`` (after less before), ``low``, ``high``
        (its interval, which holds 1 less .05 over the number of slices), ``clear`` (whether that leaves out 0) and
        ``better`` (whether the difference is a gain); no row where the rows are alike in every column, and none for a slice
        that holds nothing to be judged before or after.
    """
    task = load_task(before.task)
    one, other = (e.predictions.sort_values("id", kind="stable").reset_index(drop=True) for e in (before, after))
    members = slice_members(task, one, frame)
    groups = {(str(by), str(name)): part for (by, name), part in members.groupby(["by", "slice"], sort=False)}
    tallies = like_tallies(task, [one, other])
    name = next(iter(tallies[0].figures()))
    metric, level = task.metric(name), 1 - (1 - LEVEL) / max(len(groups), 1)
    rows = []
    for (by, value), part in groups.items():
        pair = [tally.part(part["place"].to_numpy()) for tally in tallies]
        changed = _change(pair[0], pair[1], metric, level, seed)
        if np.isfinite(changed[2]):
            rows.append((by, value, len(part), name, *changed))
    columns = ["by", "slice", "rows", "metric", "before", "after", "difference", "low", "high", "clear", "better"]
    return pd.DataFrame(rows, columns=columns)


def paired_interval(before: np.ndarray, after: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the difference of two shares of the same rows (Newcombe 1998, method 10).

    It is made of both shares' Wilson intervals and the correlation of the rows; it has a width where no row changed.

    Args:
        before: whether each row has something, bool of shape (rows,).
        after: whether it has it afterwards.
        level: what the interval holds.
    """
    rows = len(before)
    both, neither = int((before & after).sum()), int((~before & ~after).sum())
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    old, new = (both + lost) / rows, (both + won) / rows
    (old_low, old_high), (new_low, new_high) = wilson(both + lost, rows, level), wilson(both + won, rows, level)
    spread = (both + lost) * (won + neither) * (both + won) * (lost + neither)
    excess = 1.0 * both * neither - lost * won
    if excess > 0:
        excess = max(excess - rows / 2, 0)  # a continuity correction
    together = excess / spread**0.5 if spread else 0.0
    below, above = (new - new_low, old_high - old), (new_high - new, old - old_low)
    ends = [(a * a - 2 * together * a * b + b * b) ** 0.5 for a, b in (below, above)]
    return new - old - ends[0], new - old + ends[1]


def _change(
    before: Tally, after: Tally, metric: Metric, level: float, seed: int
) -> tuple[float, float, float, float, float, bool, bool]:
    old, new = before.figures()[metric.name], after.figures()[metric.name]
    share = is_share(before, metric) and is_share(after, metric)
    if share:
        right = [np.asarray(tally.read(tally.rows)[metric.name], dtype=bool) for tally in (before, after)]
        low, high = paired_interval(right[0], right[1], level)
    else:
        low, high = _bootstrapped(before, after, metric.name, level, seed)
    enough = share or len(before.rows) >= LEAST_ROWS
    clear = bool(enough and (low > 0 or high < 0))
    return old, new, new - old, low, high, clear, metric.better(new, old)


def _bootstrapped(before: Tally, after: Tally, name: str, level: float, seed: int) -> tuple[float, float]:
    sums = resampled_sums(np.hstack([before.rows, after.rows]), seed=seed)
    old, new = np.split(sums, [before.rows.shape[1]], axis=1)
    return middle(after.read(new)[name] - before.read(old)[name], level)
