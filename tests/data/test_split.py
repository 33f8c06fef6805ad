import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.text import comparison_key
from lmcore.errors import DataError, OptionError


@pytest.fixture
def repetitive():
    """3 classes of unequal size; a third of the texts occurs two or three times, in other case and spacing."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(700):
        label = str(rng.choice(["a", "b", "c"], p=[0.7, 0.25, 0.05]))
        text = f"text number {number}"
        forms = [text, text.upper(), f"  {text} "][: 1 + (number % 3 == 0) * int(rng.integers(1, 3))]
        rows += [(form, label) for form in forms]
    order = rng.permutation(len(rows))
    frame = pd.DataFrame([rows[n] for n in order], columns=["text", "label"])
    frame.insert(0, "id", np.arange(len(frame)))
    return TextDataset("repetitive", "text-classification", frame)


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_no_text_stands_in_two_splits(repetitive, seed, stratify):
    frame = split_dataset(repetitive, seed=seed, stratify=stratify).frame
    assert frame.groupby(frame["text"].map(comparison_key))["split"].nunique().max() == 1


def test_every_row_stays_as_it_was(repetitive):
    frame = split_dataset(repetitive).frame
    pd.testing.assert_frame_equal(frame.drop(columns="split"), repetitive.frame)
    assert set(frame["split"]) == {"train", "dev", "test"}


@pytest.mark.parametrize("ratios", [(8, 1, 1), (1, 1, 1), (0.6, 0.2, 0.2), (98, 1, 1)])
def test_shares_of_the_whole(make_data, ratios):
    data = make_data(*((f"t{n}", "ab"[n % 2]) for n in range(1000)))
    counts = split_dataset(data, ratios=ratios, stratify=False).frame["split"].value_counts()
    for split, ratio in zip(("train", "dev", "test"), ratios, strict=True):
        assert abs(counts[split] - 1000 * ratio / sum(ratios)) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_stratified_splits_have_each_class_in_its_share(make_data, seed):
    sizes = {"a": 700, "b": 200, "c": 90, "d": 10}
    data = make_data(*((f"{label} {n}", label) for label, size in sizes.items() for n in range(size)))
    frame = split_dataset(data, seed=seed).frame
    for label, size in sizes.items():
        counts = frame[frame["label"] == label]["split"].value_counts()
        for split, share in (("train", 0.8), ("dev", 0.1), ("test", 0.1)):
            assert abs(counts.get(split, 0) - size * share) <= 2


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_one_row_is_in_train(make_data, seed):
    data = make_data(*((f"common {n}", "common") for n in range(30)), ("odd", "lonely"), ("queer", "alone"))
    plain = split_dataset(data, seed=seed, stratify=False).frame["split"].value_counts()
    frame = split_dataset(data, seed=seed).frame
    assert {"lonely", "alone", "common"} == set(frame.loc[frame["split"] == "train", "label"])
    assert frame["split"].value_counts().to_dict() == plain.to_dict()


def test_two_classes_of_two_rows_can_be_trained_on(make_data):
    frame = split_dataset(make_data(("r", "a"), ("s", "a"), ("t", "b"), ("u", "b"))).frame
    assert set(frame.loc[frame["split"] == "train", "label"]) == {"a", "b"}


def test_more_classes_than_train_can_hold(make_data):
    frame = split_dataset(make_data(*((f"text {n}", f"class {n}") for n in range(20)))).frame
    assert frame["split"].value_counts().to_dict() == {"train": 16, "dev": 2, "test": 2}


def test_the_seed_decides(repetitive):
    splits = [split_dataset(repetitive, seed=seed).frame["split"].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]


def test_splitting_again_replaces_the_split(repetitive):
    once = split_dataset(repetitive, seed=1)
    twice = split_dataset(once, seed=2)
    assert twice.frame["split"].tolist() == split_dataset(repetitive, seed=2).frame["split"].tolist()
    assert list(twice.frame.columns).count("split") == 1


def test_the_operation_is_recorded(repetitive):
    operation = split_dataset(repetitive, ratios=(6, 2, 2), seed=9, stratify=False).operation
    assert operation == {"name": "split", "ratios": [6.0, 2.0, 2.0], "seed": 9, "stratify": False}


def test_three_texts_give_one_to_each_split(make_data):
    data = make_data(("x", "a"), ("y", "a"), ("z", "b"), ("X ", "a"))
    frame = split_dataset(data).frame
    assert set(frame["split"]) == {"train", "dev", "test"}


def test_two_texts_are_too_few(make_data):
    with pytest.raises(DataError, match="has 2 different texts"):
        split_dataset(make_data(("x", "a"), ("y", "b"), ("Y", "b")))


@pytest.mark.parametrize("ratios", [(1, 1), (1, 0, 1), (8, 1, -1), (1, 1, float("nan")), (1, 1, 1, 1)])
def test_wrong_ratios_are_refused(make_data, ratios):
    with pytest.raises(OptionError, match="three numbers above 0"):
        split_dataset(make_data(("x", "a"), ("y", "b"), ("z", "b")), ratios=ratios)
