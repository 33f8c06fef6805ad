"""The task's simple rivals measured on the same split: what a model must beat to be worth its cost."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.tasks.base import Task


def score_baselines(
    task: Task,
    train: TextDataset,
    dev: TextDataset,
    test: TextDataset,
    labels: Sequence[str],
    *,
    seed: int,
    tokenizer: Any = None,
    max_length: int = 0,
) -> pd.DataFrame:
    """Score the task's baselines on the test rows; what they choose is chosen on dev.

    Args:
        task: the task.
        train: rows to learn from.
        dev: rows to choose on.
        test: rows to measure on.
        labels: the task's labels.
        seed: of everything random.
        tokenizer: the model's, for baselines over its own tokens; without it there are none of that kind.
        max_length: the most tokens that the model reads at once.

    Returns:
        One row a baseline: ``name``, then each metric with ``_low`` and ``_high`` ends of its 95 % interval; no rows
        where the task has no baseline.
    """
    frames = train.frame, dev.frame, test.frame
    rivals = task.baselines(*frames, labels, seed=seed)
    if tokenizer is not None:
        rivals |= task.token_baselines(tokenizer, max_length, *frames)
    rows = []
    for name, predictions in rivals.items():
        scores = task.score(test.frame, predictions, labels, seed=seed)
        row: dict[str, str | float] = {"name": name}
        for metric, value in scores.metrics.items():
            low, high = scores.intervals[metric]
            row |= {metric: value, f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)
