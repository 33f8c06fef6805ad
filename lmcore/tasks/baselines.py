"""Simple honest rivals: what a model must beat to be worth its cost."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lmcore.data.text import is_chinese, words

STRENGTHS = (0.3, 1.0, 3.0, 10.0)
_SENTENCE = re.compile(r"\S(?:(?![。！？!?]|\.(?:\s|$)|\n).)*(?:[。！？!?]|\.(?=\s|$))?", re.DOTALL)


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
    """Return the classes that TF-IDF with logistic regression gives the test texts; where all train ones have one, that.

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

    if len(np.unique(gold)) == 1:
        return majority_class(gold, len(test))
    vectorizer = words_or_characters(train)
    x, x_dev = vectorizer.fit_transform(train), vectorizer.transform(dev)
    fits = [LogisticRegression(C=c, max_iter=1000, random_state=seed).fit(x, gold) for c in STRENGTHS]
    best = max(fits, key=lambda fit: float((fit.predict(x_dev) == gold_dev).mean()))
    predicted: np.ndarray = best.predict(vectorizer.transform(test))
    return predicted


def tfidf_labels(
    train: Sequence[str],
    gold: np.ndarray,
    dev: Sequence[str],
    gold_dev: np.ndarray,
    test: Sequence[str],
    *,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that TF-IDF with one logistic regression a label gives the dev and the test texts.

    What TF-IDF counts is as in `tfidf_classes`; the penalty is the one with the lowest cross-entropy on dev.

    Args:
        train: texts to learn from.
        gold: which labels they have, bool of shape (texts, labels).
        dev: texts to choose the penalty on.
        gold_dev: which labels they have.
        test: texts to predict.
        seed: of the fit.
    """
    vectorizer = words_or_characters(train)
    x, x_dev, x_test = vectorizer.fit_transform(train), vectorizer.transform(dev), vectorizer.transform(test)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for c in STRENGTHS:
        found = [_label_probabilities(x, has, (x_dev, x_test), c, seed) for has in gold.T]
        on_dev, on_test = (np.stack(part, axis=1) for part in zip(*found, strict=True))
        loss = -float(np.log(np.clip(np.where(gold_dev, on_dev, 1 - on_dev), 1e-12, 1)).mean())
        if best is None or loss < best[0]:
            best = loss, on_dev, on_test
    return (best[1], best[2]) if best else (np.zeros(gold_dev.shape), np.zeros((len(test), gold.shape[1])))


def closest_sentence(question: str, context: str) -> tuple[int, int]:
    """Return where the sentence of a context stands that shares most words with a question, the first of several.

    Words are as `lmcore.data.text.words` cuts them, in small letters; each counts once.

    Returns:
        Its first character and the one behind it.
    """
    asked = {word.casefold() for word in words(question)}
    places = [match.span() for match in _SENTENCE.finditer(context)]
    shared = [len(asked & {word.casefold() for word in words(context[a:b])}) for a, b in places]
    return places[int(np.argmax(shared))] if places else (0, 0)


def _label_probabilities(x: Any, has: np.ndarray, others: Sequence[Any], c: float, seed: int) -> list[np.ndarray]:
    """Return a label's probability in other texts; its share in training where all or none there have it."""
    from sklearn.linear_model import LogisticRegression

    if not 0 < has.sum() < len(has):
        return [np.full(other.shape[0], float(has.mean())) for other in others]
    fit = LogisticRegression(C=c, max_iter=1000, random_state=seed).fit(x, has)
    return [fit.predict_proba(other)[:, 1] for other in others]


def words_or_characters(texts: Sequence[str]) -> Any:
    """Return a TF-IDF of words and pairs of words, or of up to three characters where most texts are Chinese."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    sample = texts[:200]
    by_character = sum(map(is_chinese, sample)) > len(sample) / 2 or not any(c.isalnum() for t in texts for c in t)
    by_word = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)}
    return TfidfVectorizer(
        sublinear_tf=True, **({"analyzer": "char", "ngram_range": (1, 3)} if by_character else by_word)
    )
