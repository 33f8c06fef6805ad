"""Simple honest baselines on the same split: what a model must beat to be worth its cost."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.text import is_chinese
from lmcore.tasks.metrics import score_classes

STRENGTHS = (0.3, 1.0, 3.0, 10.0)


def score_baselines(
    train: TextDataset, dev: TextDataset, test: TextDataset, labels: Sequence[str], *, seed: int
) -> pd.DataFrame:
    """Score the majority class and TF-IDF with logistic regression on the test rows.

    TF-IDF counts words and word pairs, or 1 to 3 characters where the training texts are mostly Chinese or hold no word
    at all; the penalty is chosen on dev.

    Returns:
        One row a baseline: ``name``, then accuracy, precision_macro, recall_macro and f1_macro with ``_low`` and
        ``_high`` ends of their 95 % intervals.
    """
    index = {label: number for number, label in enumerate(labels)}
    gold = {name: part.frame["label"].map(index).to_numpy() for name, part in (("train", train), ("test", test))}
    majority = np.full(len(test), np.bincount(gold["train"]).argmax())
    rows = [
        ("majority class", majority),
        ("TF-IDF + logistic regression", _tfidf(train, dev, test, gold["train"], index, seed)),
    ]
    return pd.DataFrame([_row(name, gold["test"], predicted, labels, seed) for name, predicted in rows])


def _tfidf(
    train: TextDataset, dev: TextDataset, test: TextDataset, gold: np.ndarray, index: dict[str, int], seed: int
) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    sample = train.frame["text"].head(200)
    by_character = sum(map(is_chinese, sample)) > len(sample) / 2 or not train.frame["text"].str.contains(r"\w").any()
    by_word = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)}
    shape = {"analyzer": "char", "ngram_range": (1, 3)} if by_character else by_word
    vectorizer = TfidfVectorizer(sublinear_tf=True, **shape)
    x = vectorizer.fit_transform(train.frame["text"])
    x_dev = vectorizer.transform(dev.frame["text"])
    gold_dev = dev.frame["label"].map(index).to_numpy()
    fits = [LogisticRegression(C=c, max_iter=1000, random_state=seed).fit(x, gold) for c in STRENGTHS]
    best = max(fits, key=lambda fit: float((fit.predict(x_dev) == gold_dev).mean()))
    predicted: np.ndarray = best.predict(vectorizer.transform(test.frame["text"]))
    return predicted


def _row(
    name: str, gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str], seed: int
) -> dict[str, str | float]:
    scores = score_classes(gold, predicted, labels, seed=seed)
    row: dict[str, str | float] = {"name": name}
    for metric, value in scores.metrics.items():
        row |= {
            metric: value,
            f"{metric}_low": scores.intervals[metric][0],
            f"{metric}_high": scores.intervals[metric][1],
        }
    return row
