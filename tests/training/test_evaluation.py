import threading
from dataclasses import replace

import pandas as pd
import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, OptionError, StorageError, UnknownError
from lmcore.models import load_model
from lmcore.models.registry import ModelRegistry
from lmcore.training.evaluation import evaluate, evaluations_of, load_evaluation, save_evaluation
from lmcore.training.verdict import verdict
from lmcore.types import DatasetRef
from tests.training.conftest import Stopper


@pytest.fixture(scope="module")
def loaded(trained, shared_settings):
    return load_model(trained.version.ref, settings=shared_settings)


@pytest.fixture
def found(loaded, topics, relabelled, settings):
    """An evaluation with some errors: a third of the labels is wrong."""
    data = relabelled(lambda f: f.index[f["split"] == "test"][::3], label="food")
    return evaluate(loaded, data, settings=settings)


def test_metrics_are_those_of_the_rows(found):
    frame = found.predictions
    assert frame["correct"].tolist() == (frame["gold"] == frame["label"]).tolist()
    assert found.metrics["accuracy"] == frame["correct"].mean()
    classes = frame[["p:food", "p:travel", "p:weather"]]
    assert classes.sum(axis=1).tolist() == pytest.approx([1.0] * len(frame), abs=1e-5)
    assert classes.max(axis=1).tolist() == frame["score"].tolist()
    assert [name.removeprefix("p:") for name in classes.idxmax(axis=1)] == frame["label"].tolist()
    assert found.tables["confusion"]["rows"].sum() == len(frame) == found.parameters["rows"]
    assert found.parameters["split"] == "test"


def test_errors_are_the_wrong_ones_the_surest_first(found):
    errors = found.errors()
    assert len(errors) == (~found.predictions["correct"]).sum() > 1
    assert not errors["correct"].any()
    assert errors["score"].is_monotonic_decreasing
    assert found.errors(1)["id"].tolist() == errors["id"].tolist()[:1]


def test_a_frame_has_one_row_a_metric(found):
    frame = found.to_frame().set_index("metric")
    assert frame.loc["accuracy", "value"] == found.metrics["accuracy"]
    assert ((frame["low"] <= frame["value"]) & (frame["value"] <= frame["high"])).all()


def test_what_is_kept_comes_back(found, workspace):
    save_evaluation(workspace, found)
    kept = load_evaluation(workspace, found.id)
    for name in ("id", "version", "data", "task", "metrics", "intervals", "parameters"):
        assert getattr(kept, name) == getattr(found, name), name
    pd.testing.assert_frame_equal(kept.predictions, found.predictions)
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(kept.tables[name], table)


def test_keeping_twice_or_at_once_is_harmless(found, workspace):
    threads = [threading.Thread(target=save_evaluation, args=(workspace, found)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    save_evaluation(workspace, found)
    assert [path.name for path in (workspace.results / "evaluations").iterdir()] == [found.id]


def test_a_second_saver_that_comes_late_is_harmless(found, workspace, monkeypatch):
    save_evaluation(workspace, found)
    with monkeypatch.context() as late:
        late.setattr("pathlib.Path.exists", lambda self: False)
        save_evaluation(workspace, found)
    assert [path.name for path in (workspace.results / "evaluations").iterdir()] == [found.id]


def test_evaluations_of_a_version_are_listed_the_newest_first(found, loaded, topics, workspace, settings):
    other = evaluate(loaded, topics, split="dev", settings=settings)
    save_evaluation(workspace, found)
    save_evaluation(workspace, other)
    (workspace.results / "evaluations" / "damaged").mkdir()
    (workspace.results / "evaluations" / "damaged" / "evaluation.json").write_text("{")
    assert evaluations_of(workspace, found.version) == [other.id, found.id]
    assert evaluations_of(workspace, "models:/other/1") == []


def test_what_a_crash_left_before_it_was_whole_is_passed_over(found, workspace):
    save_evaluation(workspace, found)
    kept = workspace.results / "evaluations" / found.id
    kept.rename(kept.with_name(".new-killed"))
    assert evaluations_of(workspace, found.version) == []
    with pytest.raises(UnknownError, match="known: none yet"):
        load_evaluation(workspace, found.id)


def test_the_id_follows_model_rows_and_parameters(loaded, topics, relabelled, settings):
    same = [evaluate(loaded, topics, settings=settings).id for _ in range(2)]
    others = [
        evaluate(loaded, topics, settings=settings, seed=1).id,
        evaluate(loaded, topics, settings=settings, split="dev").id,
        evaluate(loaded, relabelled(lambda f: f.index[f["split"] == "test"][:1], text="new"), settings=settings).id,
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 4


def test_the_part_that_is_measured_is_named(loaded, topics, topic_frame, settings):
    stored = replace(topics, ref=DatasetRef("topics", 3))
    assert evaluate(loaded, stored, split="dev", settings=settings).data == "topics@3:dev"
    part = evaluate(loaded, stored.part("dev"), settings=settings)
    assert (part.data, part.parameters["split"], part.parameters["rows"]) == ("topics@3:dev", "dev", 12)
    whole = evaluate(loaded, replace(topics, frame=topic_frame), settings=settings)
    assert (whole.data, whole.parameters["split"], whole.parameters["rows"]) == ("topics", "", 120)


def test_a_version_is_loaded_by_name(trained, topics, shared_settings):
    again = evaluate("models:/topics/1", topics, settings=shared_settings)
    assert again.id == trained.evaluation.id
    assert again.metrics == trained.evaluation.metrics


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": "new"}, r"has the class 'new', which the model does not know; it knows: food, travel, weather"),
        ({"label": ""}, "has 1 row without a label"),
        ({"text": ""}, "The test split of 'topics' has 1 row without a text"),
    ],
)
def test_rows_that_cannot_be_measured_are_named_before_any_is_predicted(
    changes, sentence, loaded, relabelled, settings, monkeypatch
):
    monkeypatch.setattr("lmcore.models.predict.predict_logits", None)
    data = relabelled(lambda f: f.index[f["split"] == "test"][:1], **changes)
    with pytest.raises(DataError, match=sentence):
        evaluate(loaded, data, settings=settings)


def test_it_can_be_stopped(loaded, topics, settings):
    with pytest.raises(Cancelled):
        evaluate(loaded, topics, settings=settings, report=Stopper(1))


def test_an_evaluation_that_is_not_there(workspace, found):
    with pytest.raises(UnknownError, match=r"There is no evaluation '\.\./x'; known: none yet"):
        load_evaluation(workspace, "../x")
    save_evaluation(workspace, found)
    with pytest.raises(UnknownError, match=f"known: {found.id}"):
        load_evaluation(workspace, "x")


@pytest.mark.parametrize(
    ("name", "content"),
    [("evaluation.json", "{"), ("evaluation.json", "{}"), ("evaluation.json", "[]"), ("predictions.parquet", "x")],
)
def test_a_damaged_evaluation_is_one_sentence(workspace, found, name, content):
    save_evaluation(workspace, found)
    (workspace.results / "evaluations" / found.id / name).write_text(content)
    with pytest.raises(StorageError, match=f"The evaluation {found.id} is damaged .*: run it again"):
        load_evaluation(workspace, found.id)


def test_rows_that_were_trained_on_are_told(trained, topics, shared_settings):
    stored = DatasetStore(shared_settings.workspace).save(topics)
    registry = ModelRegistry(shared_settings.workspace)
    source = registry.get(trained.version.ref)
    facts = {**source.facts, "data": str(stored.ref)}
    version = registry.register("seen", source.folder, task=source.task, facts=facts)
    on_test = evaluate(version.ref, topics, settings=shared_settings)
    assert on_test.parameters["seen_share"] == 0
    assert "trained on" not in verdict(on_test)
    unsplit = replace(topics, frame=topics.frame.drop(columns="split"), ref=None)
    on_all = evaluate(version.ref, unsplit, settings=shared_settings)
    assert on_all.parameters["seen_share"] == pytest.approx(0.8)
    assert "It was trained on 80% of these texts" in verdict(on_all)
    assert evaluate(trained.version.ref, topics, settings=shared_settings).parameters["seen_share"] is None


def test_rows_that_the_version_before_was_trained_on_are_told_too(trained, topics, shared_settings):
    store, registry = DatasetStore(shared_settings.workspace), ModelRegistry(shared_settings.workspace)
    swapped = topics.frame["split"].map({"train": "test", "test": "train", "dev": "dev"})
    first = store.save(topics)
    second = store.save(replace(topics, name="swapped", frame=topics.frame.assign(split=swapped), ref=None))
    source = registry.get(trained.version.ref)
    versions = {}
    for name, facts in (
        ("before", {"data": str(first.ref)}),
        ("after", {"data": str(second.ref), "base": "models:/before/1"}),
    ):
        versions[name] = registry.register(name, source.folder, task=source.task, facts={**source.facts, **facts})
    found = evaluate(versions["after"].ref, second, settings=shared_settings)
    assert found.parameters["seen_share"] == 1


def test_a_task_that_writes_no_text_has_no_decoding(trained, topics, shared_settings):
    with pytest.raises(OptionError, match="Text classification writes no text: leave the settings of decoding away"):
        evaluate(trained.version.ref, topics, settings=shared_settings, decoding={"beams": 2})
