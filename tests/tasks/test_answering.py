import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import DataError
from lmcore.models import load_model
from lmcore.models.configured import train_tokenizer
from lmcore.serving import Predictor
from lmcore.tasks.answering import QuestionAnswering, write_answers
from lmcore.tasks.baselines import closest_sentence
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.types import Prediction
from tests.conftest import build_tiny

TASK = QuestionAnswering()
NAMES = ["anna", "ben", "cara", "dan", "eva", "finn"]
PLACES = ["oslo", "rome", "lima", "bonn", "cairo", "delhi"]


def frame(*rows):
    columns = pd.DataFrame(rows, columns=["question", "context", "answers"])
    columns.insert(0, "id", np.arange(len(rows)))
    return columns


@pytest.fixture(scope="module")
def homes():
    """The answer stands between two words that the question does not have; where they lack there is none."""
    rng = np.random.default_rng(2)
    rows = []
    for number in range(260):
        name, place = rng.choice(NAMES), rng.choice(PLACES)
        filler = " ".join(rng.choice(["the", "a", "was", "very", "it", "had"], rng.integers(2, 7)))
        if rng.random() < 0.3:
            rows.append((number, "where", f"{filler} {name} slept {number}", "[]"))
        else:
            context = f"{filler} {name} lives in {place} now {number}"
            rows.append((number, "where", context, write_answers([(place, context.index(place))])))
    data = pd.DataFrame(rows, columns=["id", "question", "context", "answers"]).astype({"id": np.int64})
    return split_dataset(TextDataset("homes", "question-answering", data), seed=1)


@pytest.fixture(scope="module")
def small_folder(homes, tmp_path_factory):
    """A saved BERT encoder of 2 layers and 32 features with a tokenizer of the same texts."""
    tokenizer = train_tokenizer(TASK.vocabulary_texts(homes.frame), vocabulary=150, max_length=32)
    folder = tmp_path_factory.mktemp("models") / "small"
    build_tiny(tokenizer, "text-classification", ("x", "y")).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_rows_whose_answers_do_not_fit_are_named():
    good = ("where", "in rome", write_answers([("rome", 3)]))
    with pytest.raises(
        DataError, match=r"Row 2 of It cannot be used: the answer 'lima' does not stand at character 3 of"
    ):
        TASK.check(frame(good, ("where", "in rome", write_answers([("lima", 3)]))), "It")
    with pytest.raises(DataError, match=r"Row 1 of It cannot be used: answers are written as \[\{"):
        TASK.check(frame(("where", "in rome", "[3]")), "It")
    with pytest.raises(DataError, match="It has 1 row without answers, the first is row 2"):
        TASK.check(frame(good, ("where", "in rome", "")), "It")
    with pytest.raises(DataError, match="It has no question with an answer"):
        TASK.check(frame(("where", "in rome", "[]")), "It")
    TASK.check(frame(("where", "in rome", "[]")), "It", ())


def test_articles_keep_their_questions_together_and_else_contexts_do():
    rows = frame(("q", "c1", "[]"), ("q", "c2", "[]"))
    assert TASK.groups(rows).tolist() == ["c1", "c2"]
    assert TASK.groups(rows.assign(article="a")).tolist() == ["a", "a"]


def test_scores_are_means_and_told_apart_by_whether_there_is_an_answer():
    gold = write_answers([("dark blue", 0)])
    rows = frame(("q", "dark blue", gold), ("q", "dark blue", gold), ("q", "red", "[]"), ("q", "red", "[]"))
    predictions = [Prediction(n, text=text) for n, text in enumerate(["blue", "dark blue", "", "red"])]
    scores = TASK.score(rows, predictions, (), seed=0)
    assert scores.metrics == pytest.approx({"f1": (2 / 3 + 1 + 1) / 4, "exact_match": 0.5})
    assert TASK.measure(rows, predictions, ()) == pytest.approx(scores.metrics)
    table = scores.tables["by_class"].set_index(["label", "metric"])
    assert table.loc[("has an answer", "f1"), "value"] == pytest.approx((2 / 3 + 1) / 2)
    assert table.loc[("has no answer", "exact_match"), "value"] == 0.5
    assert table["rows"].tolist() == [2, 2, 2, 2]
    for name, (low, high) in scores.intervals.items():
        assert low < scores.metrics[name] < high


@pytest.mark.parametrize(
    ("question", "context", "sentence"),
    [
        ("Who built it?", "It rains. A monk built it in 1.5 years. Fin.", "A monk built it in 1.5 years."),
        ("谁修了车厢？", "盐很多。老人修好了车厢！骡子走了。", "老人修好了车厢！"),
        ("nothing alike", "First one. Second one", "First one."),
        ("x", "", ""),
    ],
)  # fmt: skip
def test_the_closest_sentence_shares_most_words(question, context, sentence):
    start, end = closest_sentence(question, context)
    assert context[start:end] == sentence


def test_a_model_learns_to_answer_and_to_be_silent_and_serves_with_what_dev_chose(
    homes, small_folder, settings, tracked
):
    options = {"epochs": 8, "batch_size": 8, "learning_rate": 3e-3}
    config = TrainConfig("homes", homes.task, f"folder:{small_folder}", "full", **options)
    result = train(config, homes, settings=settings)
    baselines = result.evaluation.tables["baselines"].set_index("name")
    assert result.metrics["f1"] > 0.8
    assert result.metrics["f1"] > baselines["f1"].max()
    silent = (homes.part("test").frame["answers"] == "[]").mean()
    assert baselines.loc["always no answer", "exact_match"] == pytest.approx(silent)
    loaded = load_model(result.version.ref, settings=settings)
    assert loaded.model.config.no_answer_threshold == result.choices["no_answer_threshold"]
    context = "a very anna lives in lima now"
    found, none = Predictor(loaded).predict(
        [{"question": "where", "context": context}, {"question": "where", "context": "it was very dan slept"}]
    )
    assert (found.label, found.text) == ("answer", "lima")
    assert context[found.spans[0].start : found.spans[0].end] == "lima"
    assert (none.label, none.text, none.spans) == ("no answer", "", ())
    assert found.probabilities["answer"] + found.probabilities["no answer"] == pytest.approx(1)
    table = result.evaluation.predictions
    assert set(table.loc[table["gold"] == "no answer", "correct"]) <= {True, False}
    assert (table["correct"] == (table["gold"] == table["label"])).all()
