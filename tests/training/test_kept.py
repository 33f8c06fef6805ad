from dataclasses import replace

import pytest

from lmcore.data.store import DatasetStore
from lmcore.training.evaluation import evaluate, save_evaluation
from lmcore.training.kept import chief_evaluation, ensure_evaluation, kept_evaluations
from lmcore.types import DatasetRef


@pytest.fixture
def stored(topics, shared_settings):
    return DatasetStore(shared_settings.workspace).save(topics)


def test_kept_evaluations_are_found_by_version_and_by_data(trained, topics, shared_settings, settings):
    place = settings.workspace
    assert kept_evaluations(place) == []
    assert chief_evaluation(place, trained.version.ref) is None
    data = replace(topics, ref=DatasetRef("topics", 3))
    on_test = evaluate(trained.version.ref, data, settings=shared_settings)
    on_dev = evaluate(trained.version.ref, data, split="dev", settings=shared_settings)
    save_evaluation(place, on_test)
    save_evaluation(place, on_dev)
    save_evaluation(place, replace(on_test, id="other", version="models:/other/1"))
    (place.results / "evaluations" / "damaged").mkdir()
    (place.results / "evaluations" / "damaged" / "evaluation.json").write_text("[]")
    assert {item.id for item in kept_evaluations(place)} == {on_test.id, on_dev.id, "other"}
    of_version = kept_evaluations(place, version=on_test.version)
    assert [item.id for item in of_version] == [on_dev.id, on_test.id]
    assert (of_version[0].split, of_version[0].rows, of_version[0].data) == ("dev", 12, "topics@3:dev")
    assert [item.id for item in kept_evaluations(place, version=on_test.version, data="topics@3:test")] == [on_test.id]
    assert chief_evaluation(place, on_test.version) == on_test.id, "the test split speaks, though dev is newer"


def test_what_is_kept_is_not_measured_again(trained, stored, shared_settings, monkeypatch):
    first = ensure_evaluation("models:/topics/1", stored, settings=shared_settings)
    assert first.data == "topics@1:test"
    monkeypatch.setattr("lmcore.training.kept.evaluate", None)
    assert ensure_evaluation("models:/topics/1", stored, settings=shared_settings).id == first.id
    assert ensure_evaluation("models:/topics/1", stored.part("test"), settings=shared_settings).id == first.id


def test_texts_that_were_written_in_another_way_do_not_speak_for_a_version(trained, stored, shared_settings):
    own = ensure_evaluation(trained.version.ref, stored, settings=shared_settings)
    other = replace(own, id="sampled", parameters={**own.parameters, "other_way": True})
    save_evaluation(shared_settings.workspace, other)
    newest = kept_evaluations(shared_settings.workspace, version=own.version, data=own.data)[0]
    assert (newest.id, newest.own_way) == ("sampled", False)
    assert ensure_evaluation(trained.version.ref, stored, settings=shared_settings).id == own.id
    assert chief_evaluation(shared_settings.workspace, own.version) == own.id
