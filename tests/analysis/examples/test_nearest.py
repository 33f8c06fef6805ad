"""The nearest rows are those of a brute-force search."""

import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import nearest_examples
from lmcore.data.dataset import TextDataset
from lmcore.errors import Cancelled, DataError, InputError, OptionError
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from lmcore.types import Silent

TEXT = "we had some soup and bread today"


@pytest.fixture(scope="module")
def train(topics):
    return topics.part("train").frame


def brute_force(loaded, texts, layer):
    states = mean_pooled_states(loaded, encode_texts(loaded.tokenizer, [*texts, TEXT], loaded.max_length))[layer]
    unit = states.astype(np.float64) / np.linalg.norm(states.astype(np.float64), axis=1, keepdims=True)
    return unit[:-1] @ unit[-1]


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_they_are_those_of_a_brute_force_search(tiny_loaded, topics, train, layer, monkeypatch):
    monkeypatch.setattr("lmcore.analysis.examples.vectors.BLOCK", 17)
    found = nearest_examples(tiny_loaded, TEXT, topics, layer=layer, k=9)
    cosines = brute_force(tiny_loaded, train["text"], layer)
    order = np.argsort(-cosines, kind="stable")[:9]
    assert found.rows["id"].tolist() == train["id"].iloc[order].tolist()
    assert found.rows["similarity"].to_numpy() == pytest.approx(cosines[order], abs=1e-5)
    assert found.searched == len(train)
    assert found.layer == (2 if layer < 0 else layer)


def test_labels_and_agreement_are_those_of_the_rows(tiny_loaded, topics, train):
    found = nearest_examples(tiny_loaded, TEXT, topics, k=20)
    labels = train.set_index("id").loc[found.rows["id"], "label"]
    assert found.rows["label"].tolist() == labels.tolist()
    assert found.label == found.prediction.label
    assert found.agreement == pytest.approx((labels == found.label).mean())


def test_a_row_is_not_its_own_neighbour_and_its_twins_are_flagged(tiny_loaded, topics, train):
    text = train["text"].iloc[4]
    twin = train.iloc[[4]].assign(id=900, text=text.upper() + "  ")
    data = TextDataset("twins", "text-classification", pd.concat([train, twin], ignore_index=True))
    found = nearest_examples(tiny_loaded, text, data, row=int(train["id"].iloc[4]), k=3)
    assert int(train["id"].iloc[4]) not in found.rows["id"].tolist()
    assert found.rows["id"].iloc[0] == 900
    assert found.rows["duplicate"].tolist() == [True, False, False]
    assert found.duplicates == 1
    assert found.searched == len(train)


def test_vectors_that_are_kept_give_the_same_rows_and_are_not_computed_again(
    tiny_loaded, topics, tmp_path, monkeypatch
):
    first = nearest_examples(tiny_loaded, TEXT, topics, stores=tmp_path)
    assert len(list(tmp_path.glob("vectors-*"))) == 1

    def forbidden(*arguments, **options):
        raise AssertionError("computed again")

    monkeypatch.setattr("lmcore.analysis.examples.vectors._computed", forbidden)
    assert nearest_examples(tiny_loaded, TEXT, topics, stores=tmp_path).rows.equals(first.rows)
    with pytest.raises(AssertionError):
        nearest_examples(tiny_loaded, TEXT, topics, layer=0, stores=tmp_path)


def test_what_was_cancelled_keeps_nothing(tiny_loaded, topics, tmp_path):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        nearest_examples(tiny_loaded, TEXT, topics, stores=tmp_path, report=Stopped())
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_not_split_is_searched_as_a_whole(tiny_loaded, topic_frame):
    data = TextDataset("topics", "text-classification", topic_frame)
    assert nearest_examples(tiny_loaded, TEXT, data).searched == len(topic_frame)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"text": " "}, InputError, "text is empty"),
        ({"layer": 3}, OptionError, "layers 0"),
        ({"k": 0}, OptionError, "neighbours is 0"),
        ({"split": "train", "empty": True}, DataError, "no row with a text"),
    ],
)
def test_what_cannot_be_searched_is_refused(tiny_loaded, topics, change, error, said):
    options = {"text": TEXT, **change}
    data = topics
    if options.pop("empty", False):
        data = TextDataset("none", "text-classification", topics.frame.assign(text=" "))
    with pytest.raises(error, match=said):
        nearest_examples(tiny_loaded, options.pop("text"), data, **options)
