"""Simple honest rivals: what a model must beat to be worth its cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lmcore.data.text import is_chinese

STRENGTHS = (0.3, 1.0, 3.0, 10.0)


def majority_class(gold: np.ndarray, rows: int) -> np.ndarray:
    """Return the most frequent class index for every row."""
    return np.full(rows, np.bincount(gold).argmax())


def tfidf_classes(
    train: Sequence[str],
    gold: np.ndarray,
    dev: Sequence[str],
    gold_dev: np.ndarray,
    test: Sequence[str],
    *,
    seed: int,
) -> np.ndarray:
    """Return the classes that TF-IDF with logistic regression gives the test texts.

    TF-IDF counts words and word pairs, or 1 to 3 characters where the training texts are mostly Chinese or hold no word
    at all; the penalty is chosen on dev.

    Args:
        train: texts to learn from.
        gold: their class indices.
        dev: texts to choose the penalty on.
        gold_dev: their class indices.
        test: texts to predict.
        seed: of the fit.
    """
    from sklearn.linear_model import LogisticRegression

    vectorizer = _vectorizer(train)
    x, x_dev = vectorizer.fit_transform(train), vectorizer.transform(dev)
    fits = [LogisticRegression(C=c, max_iter=1000, random_state=seed).fit(x, gold) for c in STRENGTHS]
    best = max(fits, key=lambda fit: float((fit.predict(x_dev) == gold_dev).mean()))
    predicted: np.ndarray = best.predict(vectorizer.transform(test))
    return predicted


def _vectorizer(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    sample = texts[:200]
    by_character = sum(map(is_chinese, sample)) > len(sample) / 2 or not any(c.isalnum() for t in texts for c in t)
    by_word = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)}
    return TfidfVectorizer(
        sublinear_tf=True, **({"analyzer": "char", "ngram_range": (1, 3)} if by_character else by_word)
    )
