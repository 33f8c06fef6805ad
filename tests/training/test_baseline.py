from dataclasses import replace

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.tasks import load_task
from lmcore.training.baseline import score_baselines

GOOD, BAD = ["很好吃", "味道好", "好喜欢"], ["送得慢", "太慢了", "饭凉了"]


def baselines(data, labels, seed=0):
    parts = [data.part(split) for split in ("train", "dev", "test")]
    return score_baselines(load_task("text-classification"), *parts, labels, seed=seed).set_index("name")


def split_of(texts, labels):
    frame = pd.DataFrame({"id": range(len(texts)), "text": texts, "label": labels})
    return split_dataset(TextDataset("x", "text-classification", frame), seed=0)


def test_the_majority_class_has_a_known_score(topics, topic_frame):
    test = topics.part("test")
    frame = topics.frame.copy()
    train_rows = frame.index[frame["split"] == "train"]
    frame.loc[train_rows[:60], "label"] = "food"
    found = baselines(replace(topics, frame=frame), ("food", "travel", "weather")).loc["majority class"]
    share = (test.frame["label"] == "food").mean()
    assert found["accuracy"] == pytest.approx(share)
    assert found["recall_macro"] == pytest.approx(1 / 3)
    assert found["f1_macro"] == pytest.approx(2 * share / (1 + share) / 3)
    assert found["accuracy_low"] <= share <= found["accuracy_high"]


def test_words_decide_in_english(topics):
    found = baselines(topics, ("food", "travel", "weather"))
    assert found.loc["TF-IDF + logistic regression", "accuracy"] == 1.0
    assert list(found.index) == ["majority class", "TF-IDF + logistic regression"]


def test_characters_decide_in_chinese():
    texts = [
        f"{a}，{b}{n}" for group in (GOOD, BAD) for n, (a, b) in enumerate([(a, b) for a in group for b in group] * 4)
    ]
    data = split_of(texts, ["good"] * 36 + ["bad"] * 36)
    assert baselines(data, ("bad", "good")).loc["TF-IDF + logistic regression", "accuracy"] == 1.0


def test_texts_without_any_word_are_read_by_character():
    data = split_of(["🙂" * n for n in range(1, 31)] + ["🙁!" * n for n in range(1, 31)], ["good"] * 30 + ["bad"] * 30)
    assert baselines(data, ("bad", "good")).loc["TF-IDF + logistic regression", "accuracy"] == 1.0


def test_the_test_split_is_not_learnt_from(topics):
    frame = topics.frame.copy()
    rows = frame["split"] == "test"
    frame.loc[rows, "text"] = [f"zyx{n}" for n in range(rows.sum())]
    found = baselines(replace(topics, frame=frame), ("food", "travel", "weather"))
    assert found.loc["TF-IDF + logistic regression", "accuracy"] == pytest.approx(1 / 3, abs=0.01)
