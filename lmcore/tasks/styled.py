"""Style accuracy: how many texts a classifier takes for ones in the wanted style (Shen et al. 2017)."""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from lmcore.data.text import comparison_key
from lmcore.tasks.baselines import words_or_characters
from lmcore.tasks.overlap import Overlap, share

FOLDS = 5
_STRENGTH = 10.0


def styled(sources: Sequence[str], wanted: Sequence[str], written: Sequence[str]) -> Overlap:
    """Return the share of written texts that are taken for targets rather than for sources, 0 to 1.

    The classifier is a logistic regression on TF-IDF of words (of characters in Chinese), fitted on the sources and targets
    of the rows themselves, and a row is judged by one that has seen neither its source nor another row with that source.
    A text without any word that it knows is in no style, and a row that nothing could be learnt for counts in neither way.
    What it says of copied sources, a baseline, is how often it errs on them.

    Args:
        sources: what was read.
        wanted: the same in the wanted style.
        written: what is judged, one for each source.
    """
    judges = _judges(tuple(sources), tuple(wanted))
    right, judged = np.zeros(len(written)), np.zeros(len(written))
    folds = _folds(sources)
    for fold, judge in judges.items():
        rows = np.flatnonzero(folds == fold)
        words = judge[0].transform([written[int(row)] for row in rows])
        right[rows] = (judge[1].predict(words) == 1) & (words.getnnz(axis=1) > 0)
        judged[rows] = 1
    return share(right, judged)


@lru_cache(maxsize=2)
def _judges(sources: tuple[str, ...], wanted: tuple[str, ...]) -> dict[int, Any]:
    """Return for each fold of rows the classifier that was fitted on the others; 1 is the wanted style."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    folds, found = _folds(sources), {}
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds != fold)
        texts = [side[row] for side in (sources, wanted) for row in rows]
        if any(character.isalnum() for text in texts for character in text):
            fit = LogisticRegression(C=_STRENGTH, max_iter=1000, random_state=0)
            found[int(fold)] = make_pipeline(words_or_characters(texts), fit).fit(texts, np.repeat([0, 1], len(rows)))
    return found


def _folds(sources: Sequence[str]) -> np.ndarray:
    """Return the fold of each row, which follows from its source alone: rows with the same source stay together."""
    return np.array([zlib.crc32(comparison_key(text).encode(errors="replace")) % FOLDS for text in sources], dtype=int)
