from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.charts.data import SHOWN_LABELS, label_distribution, split_balance, text_lengths
from lmcore.data.dataset import TextDataset
from lmcore.data.profile import DataProfile, profile_dataset
from lmcore.data.split import split_dataset

CHINESE = ["物流", "质量", "客服"]


def dataset(labels: list[str], rows: int = 40, text: str = "a message of some words") -> TextDataset:
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "text": [f"{text} {n}" for n in range(rows)],
            "label": [labels[n % len(labels)] for n in range(rows)],
        }
    )
    return TextDataset("made", "text-classification", frame)


def profile(labels: list[str], **options: object) -> DataProfile:
    return profile_dataset(dataset(labels, **options))


@pytest.mark.parametrize("labels", [["a", "b"], CHINESE, ["only"]], ids=["two", "Chinese", "one"])
def test_labels(check, labels):
    figure = label_distribution(profile(labels))
    check(figure)
    assert figure.alt.count(",") == len(labels) - 1
    assert all(f"{label} {n}" in figure.alt for label, n in zip(figure.data["label"], figure.data["rows"], strict=True))
    assert set(figure.data["label"]) == set(labels)
    assert list(figure.data["rows"]) == sorted(figure.data["rows"], reverse=True)


def test_of_many_labels_the_largest_are_drawn_and_all_are_downloaded(check):
    figure = label_distribution(profile([f"class {n}" for n in range(77)], rows=200))
    spec = check(figure)
    assert len(next(iter(spec["datasets"].values()))) == SHOWN_LABELS
    assert len(figure.data) == 77
    assert "40 of 77" in str(spec["layer"][0]["title"])


def test_no_labels_at_all(check):
    found = profile(["a", "b"])
    figure = label_distribution(replace(found, labels=found.labels.head(0)))
    check(figure)
    assert figure.alt == "No row has a label."


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_lengths_name_the_median_and_the_longest(check, unit):
    found = profile(["a"])
    figure = text_lengths(found, unit)
    check(figure)
    assert f"The median text has {found.lengths[unit].median():.0f} {unit}" in figure.alt
    assert str(found.lengths[unit].max()) in figure.alt


def test_one_very_long_text_does_not_squeeze_the_others(check):
    found = profile(["a"], rows=300)
    found.lengths.loc[0, "words"] = 50_000
    figure = text_lengths(found, "words")
    spec = check(figure)
    drawn = pd.DataFrame(next(iter(spec["datasets"].values())))
    assert drawn["words"].max() < 50
    assert "and more)" in spec["title"]
    assert "the longest 50,000" in figure.alt
    assert figure.data["words"].max() == 50_000


def test_texts_without_a_word(check):
    data = dataset(["a"])
    wordless = replace(data, frame=data.frame.assign(text="…"))
    figure = text_lengths(profile_dataset(wordless), "words")
    check(figure)
    assert set(figure.data["words"]) == {0}


@pytest.mark.parametrize("labels", [["a", "b"], CHINESE, ["only"]], ids=["two", "Chinese", "one"])
def test_splits(check, labels):
    data = split_dataset(dataset(labels))
    figure = split_balance(data)
    check(figure)
    assert figure.alt == "Rows by split: train 32, dev 4, test 4."
    assert figure.data.groupby("split")["share"].sum().round(6).eq(1).all()
