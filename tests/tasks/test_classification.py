import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.errors import DataError, UnknownError
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.classification import TextClassification
from lmcore.tasks.labelled import label_logits
from lmcore.types import Prediction, Target

TASK = TextClassification()
LABELS = ("bad", "fair", "good")


def frame(texts, labels):
    return pd.DataFrame({"id": np.arange(len(texts)), "text": texts, "label": labels})


def test_every_registered_task_loads_under_its_own_name():
    for name in TASKS:
        task = load_task(name)
        assert task.name == name
        assert [column.name for column in task.columns] == list(TASKS[name].facts["columns"])
        assert task.main_metric in TASKS[name].facts["metrics"]
    with pytest.raises(UnknownError, match=r"There is no task 'poetry'; known: .*text-classification"):
        load_task("poetry")


def test_labels_are_distinct_sorted_and_not_empty():
    assert TASK.labels(frame(list("abcd"), ["b", "", "a", "b"])) == ("a", "b")


@pytest.mark.parametrize(
    ("texts", "labels", "sentence"),
    [
        ([], [], "The train split has no rows: choose another split"),
        (["a", " \t", ""], ["x", "y", "x"], "The train split has 2 rows without a text, the first is row 2:"),
        (["a", "b", "c"], ["x", "y", ""], "The train split has 1 row without a label, the first is row 3:"),
        (["a", "b"], ["x", "x"], "The train split has only the class 'x': a classifier needs at least two."),
    ],
)
def test_rows_that_cannot_be_trained_on_are_named(texts, labels, sentence):
    with pytest.raises(DataError) as caught:
        TASK.check(frame(texts, labels).astype({"text": str, "label": str}), "The train split")
    assert str(caught.value).startswith(sentence)


def test_the_row_named_is_the_one_in_the_file():
    part = frame(["a", "b", ""], ["x", "y", "x"]).assign(id=[40, 7, 12])
    with pytest.raises(DataError, match="row 13"):
        TASK.check(part, "It")
    with pytest.raises(DataError, match=r"Row 8 has the class 'y', which the model does not know; it knows: x, z\."):
        TASK.gold(part, ("x", "z"))


def test_gold_is_indices_into_the_labels():
    gold = TASK.gold(frame(list("abc"), ["good", "bad", "good"]), LABELS)
    assert gold.tolist() == [2, 0, 2]
    assert gold.dtype == np.int64


def test_read_is_the_softmax_in_the_order_of_the_rows():
    logits = np.array([[0.0, 1.0, -2.0], [1000.0, 0.0, 0.0], [0.5, 0.5, 0.5]], dtype=np.float32)
    predictions = TASK.read(logits, [7, 3, 9], LABELS)
    assert [p.id for p in predictions] == [7, 3, 9]
    assert [p.label for p in predictions] == ["fair", "bad", "bad"]
    wanted = torch.softmax(torch.from_numpy(logits), dim=1)
    for prediction, row in zip(predictions, wanted.tolist(), strict=True):
        assert list(prediction.probabilities) == list(LABELS)
        assert list(prediction.probabilities.values()) == pytest.approx(row, abs=1e-6)
        assert prediction.score == prediction.probabilities[prediction.label]
    assert TASK.read(np.zeros((0, 3), np.float32), [], LABELS) == []


def test_score_reads_labels_from_predictions():
    rows = frame(list("abcd"), ["good", "bad", "good", "fair"])
    predictions = [Prediction(i, label) for i, label in enumerate(["good", "good", "good", "fair"])]
    scores = TASK.score(rows, predictions, LABELS, seed=0)
    assert scores.metrics["accuracy"] == 0.75
    cells = scores.tables["confusion"].set_index(["gold", "predicted"])["rows"]
    assert cells["bad", "good"] == 1


def test_targets_begin_with_the_predicted_class():
    prediction = Prediction(0, "good", 0.6, {"bad": 0.3, "fair": 0.1, "good": 0.6})
    assert TASK.targets(prediction) == [
        Target("class", "good"),
        Target("class", "bad"),
        Target("class", "fair"),
        Target("class", "good", against="bad"),
        Target("class", "good", against="fair"),
    ]


def test_the_objective_is_a_logit_or_a_difference_and_can_be_differentiated():
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.0, -1.0, 5.0]], requires_grad=True)
    assert label_logits(logits, Target("class", "good"), LABELS).tolist() == [4.0, 5.0]
    against = label_logits(logits, Target("class", "good", against="fair"), LABELS)
    assert against.tolist() == [2.0, 6.0]
    against.sum().backward()
    assert logits.grad.tolist() == [[0.0, -1.0, 1.0]] * 2


@pytest.mark.parametrize(
    "target", [Target("class", "great"), Target("class"), Target("class", "good", against="great")]
)
def test_a_class_that_the_model_lacks_is_refused(target):
    with pytest.raises(UnknownError, match="known: bad, fair, good"):
        label_logits(torch.zeros(1, 3), target, LABELS)
