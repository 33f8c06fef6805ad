"""Splitting into train, dev and test so that no text stands in two of them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.text import comparison_key
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.types import SPLITS


def split_dataset(
    data: TextDataset, *, ratios: Sequence[float] = (8, 1, 1), seed: int = 0, stratify: bool = True
) -> TextDataset:
    """Give every row a split.

    Rows with the same text (letter case and white space aside) always get the same split. Rows are ordered at
    random, by class where ``stratify`` is set, and the splits are dealt out evenly along that order, so that each
    split has its share of the whole and of each class to within two groups of equal texts. With ``stratify``, a class
    that this leaves out of train then changes places with a text of the largest, so that a model can learn it.

    Args:
        data: any data set; a split it already has is replaced.
        ratios: relative sizes of train, dev and test, each above 0.
        seed: of the order.
        stratify: whether each split gets each class in its overall share.

    Returns:
        A new data set, not stored yet, with the column ``split``.

    Raises:
        OptionError: the ratios are not three positive numbers.
        DataError: there are fewer than three different texts.
    """
    shares = _shares(ratios)
    frame = data.frame.drop(columns="split", errors="ignore")
    keys = load_task(data.task).groups(frame).map(comparison_key)
    groups = pd.Series(np.arange(len(frame))).groupby(keys.to_numpy(), sort=True)
    if groups.ngroups < len(SPLITS):
        raise DataError(
            f"{data.name!r} has {groups.ngroups} different texts: a split into train, dev and test needs at least "
            f"{len(SPLITS)}."
        )
    rng = np.random.default_rng(seed)
    members = [group.to_numpy() for _, group in groups]
    order = rng.permutation(len(members))
    dealt = _deal(len(members), shares, rng)
    strata = load_task(data.task).strata(frame)
    if stratify and strata is not None:
        labels = strata.to_numpy()
        classes = [_majority(labels[group]) for group in members]
        order = np.array(sorted(order, key=lambda g: classes[g]))
        dealt = _with_all_in_train(dealt, [classes[g] for g in order])
    split = np.empty(len(frame), dtype=object)
    for group, number in zip(order, dealt, strict=True):
        split[members[group]] = SPLITS[number]
    return data.derive(
        frame.assign(split=split),
        name="split",
        ratios=[float(r) for r in ratios],
        seed=seed,
        stratify=stratify,
    )


def _shares(ratios: Sequence[float]) -> np.ndarray:
    values = np.asarray(ratios, dtype=float)
    if values.shape != (len(SPLITS),) or not np.isfinite(values).all() or (values <= 0).any():
        raise OptionError(f"The ratios are {list(ratios)}: give three numbers above 0, for example 8:1:1.")
    normalised: np.ndarray = values / values.sum()
    return normalised


def _majority(labels: np.ndarray) -> str:
    names, counts = np.unique(labels.astype(str), return_counts=True)
    return str(names[counts.argmax()])


def _deal(count: int, shares: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Deal ``count`` places out in order: each goes to the split that lags its share most; all splits get one."""
    given = np.zeros(len(shares))
    phase = rng.random(len(shares)) * 0.5
    dealt = []
    for place in range(1, count + 1):
        lag = shares * place - given + phase * shares
        left = count - place + 1
        missing = np.flatnonzero(given == 0)
        number = int(missing[lag[missing].argmax()]) if len(missing) >= left else int(lag.argmax())
        given[number] += 1
        dealt.append(number)
    return dealt


def _with_all_in_train(dealt: Sequence[int], classes: Sequence[str]) -> list[int]:
    """Swap places until every class has one in train, as far as other classes have more than one there."""
    swapped = list(dealt)
    trained = Counter(name for name, number in zip(classes, dealt, strict=True) if number == 0)
    for place, name in enumerate(classes):
        if trained[name]:
            continue
        largest, count = trained.most_common(1)[0]
        if count > 1:
            other = next(p for p, number in enumerate(swapped) if number == 0 and classes[p] == largest)
            swapped[place], swapped[other] = 0, swapped[place]
            trained[name], trained[largest] = 1, count - 1
    return swapped
