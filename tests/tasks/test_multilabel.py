import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import DataError
from lmcore.models import load_model
from lmcore.serving import Predictor
from lmcore.tasks.multilabel import MultiLabelClassification, read_labels, read_probabilities, write_labels
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.types import Target

TASK = MultiLabelClassification()
WORDS = {"food": ["bread", "soup", "cheese"], "travel": ["train", "hotel", "plane"], "weather": ["rain", "sun", "snow"]}


def frame(*labels):
    texts = [f"text {n}" for n in range(len(labels))]
    return pd.DataFrame({"id": np.arange(len(labels)), "text": texts, "label": labels}).astype({"label": str})


@pytest.fixture(scope="module")
def trips():
    rng = np.random.default_rng(5)
    rows = []
    for number in range(240):
        labels = [name for name in WORDS if rng.random() < 0.45]
        words = [word for name in labels for word in rng.choice(WORDS[name], 2, replace=False)]
        words += list(rng.choice(["the", "a", "we", "had", "it"], 3))
        rows.append((number, " ".join(rng.permutation(words)) + f" {number}", "|".join(labels) or "-"))
    data = pd.DataFrame(rows, columns=["id", "text", "label"]).astype({"id": np.int64})
    return split_dataset(TextDataset("trips", "multi-label-classification", data), seed=1)


@pytest.mark.parametrize(
    ("cell", "labels"), [("b|a", ["a", "b"]), (" a | a |", ["a"]), ("-", []), ("", []), ("a b", ["a b"])]
)
def test_a_cell_is_a_set_of_labels(cell, labels):
    assert read_labels(cell) == labels
    assert read_labels(write_labels(labels)) == labels


def test_labels_and_strata_look_inside_the_cells():
    rows = frame("a|b", "a", "-", "b|c|a", "a|b")
    assert TASK.labels(rows) == ("a", "b", "c")
    assert TASK.label_lists(rows)[3] == ["a", "b", "c"]
    assert TASK.strata(rows).tolist() == ["b", "a", "-", "c", "b"]


def test_gold_is_a_row_of_truth_values():
    assert TASK.gold(frame("b", "-", "c|a"), ("a", "b", "c")).tolist() == [
        [False, True, False],
        [False, False, False],
        [True, False, True],
    ]


def test_rows_that_do_not_fit_are_named():
    with pytest.raises(DataError, match="It has only the label 'a': it needs at least two"):
        TASK.check(frame("a", "-"), "It")
    with pytest.raises(DataError, match="It has no label"):
        TASK.check(frame("-", "-"), "It")
    with pytest.raises(DataError, match=r"Row 2 has the label 'z', which the model does not know; it knows: a, b\."):
        TASK.check(frame("a", "b|z"), "It", ("a", "b"))


def test_probabilities_above_the_threshold_are_labels_and_the_score_is_that_of_the_set():
    found = read_probabilities(np.array([[0.9, 0.4, 0.2], [0.1, 0.1, 0.3]]), [4, 2], ("a", "b", "c"), 0.35)
    assert [(p.id, p.label) for p in found] == [(4, "a|b"), (2, "-")]
    assert [p.score for p in found] == pytest.approx([0.9 * 0.4 * 0.8, 0.9 * 0.9 * 0.7])
    assert TASK.targets(found[0]) == [Target("class", "a"), Target("class", "b"), Target("class", "c")]


def test_judge_is_binary_cross_entropy_and_auroc():
    logits, gold = np.array([[2.0, -1.0], [-0.5, 0.5]]), np.array([[True, False], [False, True]])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits), torch.from_numpy(gold).double()
    )
    assert TASK.judge(logits, gold) == pytest.approx({"dev_auroc_macro": 1.0, "dev_loss": wanted.item()})


def test_full_training_learns_the_labels_and_serves_with_the_threshold_that_dev_chose(
    trips, tiny_folder, settings, tracked
):
    options = {"epochs": 6, "batch_size": 8, "learning_rate": 3e-3}
    config = TrainConfig("trips", trips.task, f"folder:{tiny_folder}", "full", **options)
    result = train(config, trips, settings=settings)
    baselines = result.evaluation.tables["baselines"].set_index("name")
    assert result.metrics["auroc_macro"] > 0.9
    assert result.metrics["f1_micro"] > baselines.loc["most frequent label set", "f1_micro"]
    assert baselines.loc["TF-IDF + logistic regression", "f1_micro"] > 0.9
    loaded = load_model(result.version.ref, settings=settings)
    assert loaded.model.config.label_threshold == result.choices["label_threshold"]
    first = Predictor(loaded).predict(["we had soup on the train"])[0]
    given = {label for label, p in first.probabilities.items() if p > result.choices["label_threshold"]}
    assert first.label == write_labels(sorted(given))


def test_a_head_is_one_classifier_a_label_and_can_be_trained_on(trips, tiny_folder, settings, tracked):
    config = TrainConfig("trips", trips.task, f"folder:{tiny_folder}", "head", strength=1.0)
    result = train(config, trips, settings=settings)
    assert result.metrics["auroc_macro"] > 0.8
    assert {"layer", "strength", "label_threshold"} == result.choices.keys()
    loaded = load_model(result.version.ref, settings=settings)
    assert loaded.model.config.problem_type == "multi_label_classification"
    further = TrainConfig("further", trips.task, str(result.version.ref), "full", epochs=1, batch_size=16)
    assert train(further, trips, settings=settings).metrics["auroc_macro"] > 0.8
