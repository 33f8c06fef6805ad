from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmcore.errors import InputError, UnknownError
from lmcore.models import load_model
from lmcore.models.registry import ModelVersion
from lmcore.training.baseline import score_baselines
from lmcore.training.beside import ask, earlier_models, rival_evaluation, set_beside, written_answer
from lmcore.training.evaluation import Evaluation
from lmcore.types import Prediction, Span
from tests.training.judged import LABELS, evaluation, softmax


def version(number, name="made", task="text-classification", **facts):
    return ModelVersion(name, number, task, Path("/gone"), facts=facts)


@pytest.fixture
def two():
    """Five rows: two fixed, one broken, one still wrong, one still right."""
    gold = np.array([0, 1, 2, 0, 1])
    old, new = np.array([1, 1, 0, 1, 0]), np.array([0, 2, 2, 2, 1])
    old[4], new[4] = 1, 1
    p = [softmax(2.0 * np.eye(3)[said]) for said in (old, new)]
    return evaluation(gold, p[0], version="models:/made/1"), evaluation(gold, p[1], version="models:/made/2")


def test_rows_are_told_by_what_changed(two):
    found = set_beside(*two)
    assert found.rows["change"].tolist() == ["fixed", "broken", "fixed", "still wrong", "still right"]
    assert found.changes == {"fixed": 2, "broken": 1, "still wrong": 1, "still right": 1}
    assert found.sentences()[0] == "Of 5 rows: 2 fixed, 1 broken, 1 still wrong, 1 still right."
    assert found.rows.loc[0, ["before", "after", "gold"]].tolist() == [LABELS[1], LABELS[0], LABELS[0]]
    accuracy = found.comparison.differences.set_index("metric").loc["accuracy", "difference"]
    assert accuracy == pytest.approx((2 - 1) / 5), "fixed less broken is the difference in accuracy"


def test_probabilities_stand_beside_each_other(two):
    found = set_beside(*two).probabilities
    first = found[found["id"] == 0].set_index("label")
    assert first.loc["fair", "before"] == pytest.approx(two[0].predictions.loc[0, "p:fair"])
    assert first.loc["fair", "after"] == pytest.approx(two[1].predictions.loc[0, "p:fair"])
    assert found.groupby("id")[["before", "after"]].sum().to_numpy() == pytest.approx(1)
    fewer = replace(two[0], predictions=two[0].predictions.drop(columns="p:bad"))
    assert set_beside(fewer, two[1]).probabilities.set_index("label").loc["bad", "before"].isna().all()


def test_the_order_of_the_rows_does_not_matter(two):
    turned = replace(two[1], predictions=two[1].predictions.iloc[::-1])
    pd.testing.assert_frame_equal(set_beside(two[0], turned).rows, set_beside(*two).rows)


def test_other_rows_are_refused(two):
    with pytest.raises(InputError, match="evaluate both on the same data set and split"):
        set_beside(two[0], replace(two[1], predictions=two[1].predictions.head(3)))


def test_a_text_that_is_written_is_told_by_its_own_figure():
    from lmcore.tasks import load_task

    task = load_task("translation")
    frame = pd.DataFrame({"id": [0, 1, 2], "source": ["a", "b", "c"], "target": ["der Hund", "die Katze", "das Haus"]})

    def written(name, *texts):
        said = [Prediction(n, text=text) for n, text in enumerate(texts)]
        table = task.table(frame, said)
        return Evaluation(name, f"models:/{name}/1", "d@1:test", task.name, {}, {}, table, {}, {})

    found = set_beside(written("old", "Hund", "die Katze", "das Haus"), written("new", "der Hund", "Tier", "das Haus"))
    assert found.rows["change"].tolist() == ["better", "worse", "as before"]
    assert found.metric.name == "chrf"
    assert "by chrF of the row: 1 better, 1 worse, 1 as before." in found.sentences()[0]
    assert found.probabilities.empty


def test_what_a_version_was_trained_from_comes_first():
    one = version(1, base="packaged:all-MiniLM-L6-v2")
    two = version(2, base="models:/made/1")
    three = version(3, base="models:/made/2", calibrated_from="models:/made/2")
    other = version(1, name="tags", task="named-entity-recognition")
    every = [three, two, one, other]
    found, reason = earlier_models(three, every, ["majority class"])
    assert [(item.name, item.kind) for item in found] == [
        ("models:/made/2", "version"), ("models:/made/1", "version"), ("majority class", "rival"),
    ]  # fmt: skip
    assert reason == ""
    assert found[0].reason == "which it was made from"
    found, reason = earlier_models(one, every, ["majority class"])
    assert [item.kind for item in found] == ["rival"]
    assert "began as packaged:all-MiniLM-L6-v2, which has no trained head for text classification" in reason


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"base": "config:bert-small"}, "with random weights: there is nothing before it"),
        ({"base": "models:/made/7"}, "was made from models:/made/7, which is gone or does another task"),
        ({"base": "models:/tags/1"}, "which is gone or does another task"),
        ({}, "What models:/made/2 was made from is not known"),
    ],
)
def test_where_nothing_came_before_a_sentence_says_why(facts, said):
    own = version(2, **facts)
    found, reason = earlier_models(own, [own, version(1, name="tags", task="named-entity-recognition")])
    assert found == []
    assert said in reason


def test_an_alias_that_moved_names_the_version_itself_no_more():
    champion = replace(version(2, base="models:/made@champion"), aliases=("champion",))
    found, reason = earlier_models(champion, [champion, version(1)])
    assert [item.name for item in found] == ["models:/made/1"]
    assert "was made from models:/made@champion, an alias that is its own by now" in reason


def test_a_base_model_that_speaks_is_compared_as_it_is():
    own = version(1, task="text-generation", base="gguf:/models/small.gguf")
    found, reason = earlier_models(own, [own], ["unigram"])
    assert [(item.name, item.kind) for item in found] == [("gguf:/models/small.gguf", "model")]
    assert reason == ""


def test_a_baseline_is_made_again_row_by_row(trained, topics):
    after = trained.evaluation
    name = "majority class"
    made = rival_evaluation(after, topics, name)
    parts = [topics.part(split) for split in ("train", "dev", "test")]
    from lmcore.tasks import load_task

    task = load_task(topics.task)
    kept = score_baselines(task, *parts, task.labels(parts[0].frame), seed=0).set_index("name").loc[name]
    assert made.metrics["accuracy"] == pytest.approx(kept["accuracy"])
    found = set_beside(made, after)
    assert len(found.rows) == len(parts[2])
    assert (found.before, found.after) == (name, str(trained.version.ref))
    with pytest.raises(UnknownError, match="There is no baseline 'gone'"):
        rival_evaluation(after, topics, "gone")


def test_a_model_is_asked_about_any_text(trained, shared_settings):
    loaded = load_model(trained.version.ref, settings=shared_settings)
    found = ask(loaded, ["rain and snow", "soup"])
    assert len(found) == 2
    assert found["probabilities"].map(lambda p: sum(p.values())).tolist() == pytest.approx([1, 1])
    assert found["answer"].tolist() == [max(p, key=p.get) for p in found["probabilities"]]
    with pytest.raises(InputError, match="There is no text to ask about"):
        ask(loaded, [])


def test_answers_are_written_for_people():
    assert written_answer("a", Prediction(0, "tea")) == "tea"
    assert written_answer("play moon", Prediction(0, "music", spans=(Span(5, 9, "song"),))) == "music | song: moon"
    assert (
        written_answer({"q": "who", "c": "Ann"}, Prediction(0, "answer", spans=(Span(0, 3, ""),), text="Ann")) == "Ann"
    )
    assert written_answer("a", Prediction(0)) == "nothing"


def test_training_from_an_alias_records_the_number(tracked, settings, tiny_folder, topics):
    from lmcore.training.fit import _numbered

    assert _numbered("packaged:all-MiniLM-L6-v2", settings) == "packaged:all-MiniLM-L6-v2"
    from lmcore.models.registry import ModelRegistry

    registry = ModelRegistry(settings.workspace)
    folder = settings.workspace.models / "made" / "x"
    folder.mkdir(parents=True)
    registry.register("made", folder, task=topics.task)
    registry.promote("made", 1)
    assert _numbered("models:/made@champion", settings) == "models:/made/1"
