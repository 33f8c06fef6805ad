import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import DataError, InputError
from lmcore.models import load_model
from lmcore.models.configured import train_tokenizer
from lmcore.models.start import start_model
from lmcore.serving import Predictor
from lmcore.serving.failed import FailedPrediction
from lmcore.tasks.relation import MARKS, RelationExtraction, find_marked, no_relation, plain_text, words_between
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.types import Prediction
from tests.conftest import build_tiny

TASK = RelationExtraction()
TEXT = "the <e1>cat</e1> ate the <e2> old mouse </e2> at night"


def frame(texts, labels):
    return pd.DataFrame({"id": np.arange(len(texts)), "text": texts, "label": labels}).astype({"text": str})


@pytest.fixture(scope="module")
def meals():
    """What stands between the marks says how the two are related."""
    rng = np.random.default_rng(3)
    animals, rows = ["cat", "dog", "fox", "owl", "bear"], []
    verbs = {"eats(e1,e2)": "ate", "eats(e2,e1)": "fed", "Other": "met"}
    for number in range(240):
        one, other = rng.choice(animals, 2, replace=False)
        label = list(verbs)[number % 3]
        rows.append((number, f"the <e1>{one}</e1> {verbs[label]} <e2>{other}</e2> today {number}", label))
    data = pd.DataFrame(rows, columns=["id", "text", "label"]).astype({"id": np.int64})
    return split_dataset(TextDataset("meals", "relation-extraction", data), seed=1)


@pytest.fixture(scope="module")
def small_folder(meals, tmp_path_factory):
    """A saved BERT encoder of 2 layers and 32 features with a tokenizer of the same texts."""
    tokenizer = train_tokenizer(TASK.vocabulary_texts(meals.frame), vocabulary=120, max_length=32)
    folder = tmp_path_factory.mktemp("models") / "small"
    build_tiny(tokenizer, "text-classification", ("x", "y")).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_marked_things_are_found_with_their_marks():
    first, second = find_marked(TEXT)
    assert TEXT[slice(*first)] == "<e1>cat</e1>"
    assert TEXT[slice(*second)] == "<e2> old mouse </e2>"
    assert plain_text(TEXT) == "the cat ate the  old mouse  at night"


@pytest.mark.parametrize(
    "text",
    ["no marks", "<e1>a</e1> b", "<e1>a</e1> <e1>b</e1> <e2>c</e2>", "<e1>a <e2>b</e2></e1>", "</e1>a<e1> <e2>b</e2>",
     "<e1>a <e2>b</e1> c</e2>", "<e1> </e1> <e2>b</e2>"],
)  # fmt: skip
def test_marks_that_are_missing_twice_nested_or_empty_are_refused_with_their_row(text):
    assert find_marked(text) is None
    rows = frame([TEXT, text], ["x", "y"]).assign(id=[3, 8])
    with pytest.raises(
        DataError, match="Row 9 of the train split has not the marks it needs: mark one thing with <e1>…"
    ):
        TASK.check(rows, "the train split")
    with pytest.raises(InputError, match="A text has not the marks"):
        TASK.encode(train_tokenizer(["a b c"], max_length=32), rows, 32)


def test_the_words_between_say_which_thing_comes_first():
    assert words_between(TEXT) == "e1  ate the  e2"
    assert words_between("<e2>A</e2>, home of <e1>B</e1>.") == "e2 , home of  e1"
    assert TASK.baseline_texts(frame([TEXT], ["x"])) == ["e1  ate the  e2"]


def test_other_is_left_out_of_the_averages_and_counts_as_no_hit():
    labels = ("Cause(e1,e2)", "Cause(e2,e1)", "Other")
    assert no_relation(labels) == {"Other"}
    gold = ["Cause(e1,e2)"] * 4 + ["Cause(e2,e1)"] * 3 + ["Other"] * 5
    said = ["Cause(e1,e2)"] * 3 + ["Other"] * 2 + ["Cause(e2,e1)"] * 3 + ["Other"] * 3 + ["Cause(e1,e2)"]
    predictions = [Prediction(n, label) for n, label in enumerate(said)]
    rows = frame([TEXT] * len(gold), gold)
    scores = TASK.score(rows, predictions, labels, seed=0)
    kept = {"labels": labels[:2], "zero_division": 0}
    assert scores.metrics["f1_macro"] == pytest.approx(f1_score(gold, said, average="macro", **kept))
    assert scores.metrics["f1_micro"] == pytest.approx(f1_score(gold, said, average="micro", **kept))
    assert scores.metrics["precision_macro"] == pytest.approx(precision_score(gold, said, average="macro", **kept))
    assert TASK.measure(rows, predictions, labels) == pytest.approx(scores.metrics)
    low, high = scores.intervals["f1_micro"]
    assert low < scores.metrics["f1_micro"] < high
    assert set(scores.metrics) == {metric.name for metric in TASK.metrics}


def test_a_long_text_keeps_the_part_around_the_marks():
    filler = " ".join(f"word{n}" for n in range(60))
    text = f"{filler} <e1>cat</e1> ate <e2>mouse</e2> {filler}"
    tokenizer = train_tokenizer([plain_text(text)] * 3, max_length=32)
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
    encodings = TASK.encode(tokenizer, frame([text, TEXT, f"<e1>cat</e1> {filler} <e2>mouse</e2>"], ["x"] * 3), 32)
    assert encodings.truncated.tolist() == [True, False, True]
    read = tokenizer.decode(encodings.ids[0])
    assert all(mark in read for mark in MARKS)
    assert len(encodings.ids[0]) <= 32
    assert "<e1>" in tokenizer.decode(encodings.ids[2])


def test_each_mark_becomes_one_token_with_a_vector_of_its_own(tiny_folder, settings):
    rows = frame([TEXT, TEXT], ["x", "y"])
    start = start_model(f"folder:{tiny_folder}", TASK, rows, ("x", "y"), seed=1, settings=settings)
    ids = start.tokenizer.convert_tokens_to_ids(list(MARKS))
    weight = start.model.get_input_embeddings().weight
    assert weight.shape[0] == len(start.tokenizer) == max(ids) + 1
    assert sorted(set(ids)) == ids
    tokens = start.tokenizer.convert_ids_to_tokens(TASK.encode(start.tokenizer, rows, 64).ids[0])
    assert [token for token in tokens if token.startswith("<")] == list(MARKS)
    again = start_model(f"folder:{tiny_folder}", TASK, rows, ("x", "y"), seed=1, settings=settings)
    assert (again.model.get_input_embeddings().weight == weight).all()
    assert not (weight[ids[0]] == weight[ids[1]]).all()
    known = weight[: ids[0]]
    assert (weight[ids].mean(dim=0) - known.mean(dim=0)).abs().max() < 2 * known.std()


def test_a_model_learns_the_relations_and_answers_marked_texts_alone(meals, small_folder, settings, tracked):
    options = {"epochs": 5, "batch_size": 8, "learning_rate": 3e-3}
    result = train(
        TrainConfig("meals", meals.task, f"folder:{small_folder}", "full", **options), meals, settings=settings
    )
    baselines = result.evaluation.tables["baselines"].set_index("name")
    assert result.metrics["f1_macro"] > 0.9
    assert baselines.loc["TF-IDF of the words between the marks", "f1_macro"] > 0.9
    assert baselines.loc["majority class", "f1_macro"] < 0.6
    loaded = load_model(result.version.ref, settings=settings)
    answers = Predictor(loaded).predict(
        ["the <e1>fox</e1> ate <e2>owl</e2>", "no marks", "the <e1>dog</e1> fed <e2>owl</e2>"]
    )
    assert [answers[0].label, answers[2].label] == ["eats(e1,e2)", "eats(e2,e1)"]
    assert isinstance(answers[1], FailedPrediction)
    assert answers[1].error.startswith("A text has not the marks that this model needs")


def test_the_tally_measures_as_the_task_does():
    labels = ("Other", "eats(e1,e2)", "eats(e2,e1)")
    rng = np.random.default_rng(0)
    gold, given = rng.choice(labels, 60), rng.choice(labels, 60)
    rows = frame([TEXT] * 60, gold)
    predictions = [Prediction(i, label) for i, label in enumerate(given)]
    measured = TASK.measure(rows, predictions, labels)
    figures = TASK.tally(pd.DataFrame({"gold": gold, "label": given})).figures()
    assert figures == pytest.approx(measured)
    assert "f1_micro" in figures
