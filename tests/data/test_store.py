import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from lmcore.data.clean import clean_dataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, InputError, StorageError, UnknownError
from lmcore.types import DatasetRef


@pytest.fixture
def store(workspace):
    return DatasetStore(workspace)


def folder(workspace, ref):
    name, version = ref.split("@")
    return workspace.datasets / name / version


def test_what_is_saved_is_loaded(store, defective):
    saved = store.save(defective)
    assert str(saved.ref) == "small@1"
    loaded = store.load("small@1")
    pd.testing.assert_frame_equal(loaded.frame, defective.frame)
    assert loaded.fingerprint == defective.fingerprint
    assert (loaded.name, loaded.task, loaded.source, loaded.ref) == ("small", defective.task, "test", saved.ref)
    assert (loaded.parent, dict(loaded.operation)) == (None, {})


def test_versions_their_parents_and_their_history(store, defective):
    first = store.save(defective)
    second = store.save(clean_dataset(first, ["drop_empty"]).data)
    third = store.save(split_dataset(second, seed=4))
    assert [str(data.ref) for data in (first, second, third)] == ["small@1", "small@2", "small@3"]
    assert [str(info.ref) for info in store.history("small@3")] == ["small@3", "small@2", "small@1"]
    info = store.info("small@3")
    assert (info.parent, info.operation["seed"]) == (DatasetRef("small", 2), 4)
    assert (info.rows, info.labels, info.is_split, info.source) == (8, 2, True, "test")
    assert info.fingerprint == third.fingerprint
    loaded = store.load("small@3")
    assert (loaded.parent, loaded.operation) == (third.parent, third.operation)


def test_the_same_content_made_in_the_same_way_is_stored_once(store, workspace, defective):
    first = store.save(defective)
    assert store.save(defective).ref == first.ref
    split = split_dataset(first, seed=1)
    assert store.save(split).ref == store.save(split_dataset(first, seed=1)).ref == DatasetRef("small", 2)
    assert store.save(split_dataset(first, seed=2)).ref == DatasetRef("small", 3)
    unchanged = clean_dataset(first, []).data
    assert store.save(unchanged).ref == DatasetRef("small", 4)
    assert sorted(path.name for path in (workspace.datasets / "small").iterdir()) == ["1", "2", "3", "4"]


def test_saving_again_after_loading_writes_nothing(store, defective):
    store.save(split_dataset(defective))
    assert store.save(store.load("small@1")).ref == DatasetRef("small", 1)


def test_a_part_of_a_stored_version(store, topics):
    store.save(topics)
    part = store.load("topics@1:test")
    assert part.ref == DatasetRef("topics", 1, "test")
    pd.testing.assert_frame_equal(part.frame, topics.part("test").frame)
    assert store.info("topics@1:test").ref == DatasetRef("topics", 1)


def test_a_part_of_an_unsplit_version_is_refused(store, defective):
    store.save(defective)
    with pytest.raises(DataError, match="is not split yet"):
        store.load("small@1:test")


def test_the_list_is_newest_first(store, defective, make_data, monkeypatch):
    clock = iter([100.0, 300.0, 200.0])
    monkeypatch.setattr("lmcore.data.store.time", SimpleNamespace(time=lambda: next(clock)))
    store.save(defective)
    store.save(make_data(("x", "a"), name="second"))
    store.save(make_data(("y", "a"), name="third"))
    assert [str(info.ref) for info in store.list()] == ["second@1", "third@1", "small@1"]


def test_reading_an_empty_workspace_makes_nothing(store, workspace):
    assert store.list() == []
    assert store.damaged() == ()
    with pytest.raises(UnknownError, match="no stored data set 'a@1'; known: none yet"):
        store.load("a@1")
    assert not workspace.root.exists()


def test_unknown_versions_list_the_known_ones(store, defective):
    store.save(defective)
    for ref in ("small@2", "other@1", DatasetRef("small", 7, "test")):
        with pytest.raises(UnknownError, match=r"known: small@1\."):
            store.load(ref)
    with pytest.raises(UnknownError):
        store.history("small@9")


@pytest.mark.parametrize("text", ["small", "../small@1", "small@x", "small@1:all", "a/b@1", "@1"])
def test_what_is_no_reference_is_refused(store, text):
    with pytest.raises(InputError, match="is not a stored data set"):
        store.load(text)


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "外卖", "x" * 65])
def test_a_name_never_becomes_another_path(store, workspace, defective, name):
    with pytest.raises(InputError, match="is not a usable name"):
        store.save(replace(defective, name=name))
    with pytest.raises(InputError):
        store.load(DatasetRef(name, 1))
    assert not workspace.root.exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("data.parquet", cut),
        ("data.parquet", flip),
        ("data.parquet", os.unlink),
        ("meta.json", cut),
        ("meta.json", os.unlink),
        ("meta.json", lambda path: path.write_text("[]")),
        ("meta.json", lambda path: path.write_text(json.dumps({"task": "text-classification"}))),
        ("meta.json", lambda path: path.write_bytes(b"\xff\xfe")),
    ],
)
def test_a_damaged_version_is_named_and_the_others_stay(store, workspace, defective, file, damage):
    store.save(defective)
    store.save(split_dataset(defective))
    damage(folder(workspace, "small@2") / file)
    with pytest.raises(StorageError, match="The stored data set small@2 is damaged: delete the folder"):
        store.load("small@2")
    assert len(store.load("small@1")) == 10


@pytest.mark.parametrize(
    ("file", "damage"), [("data.parquet", os.unlink), ("meta.json", cut), ("meta.json", os.unlink)]
)
def test_a_damaged_version_is_passed_over_in_the_list(store, workspace, defective, file, damage):
    store.save(defective)
    store.save(replace(split_dataset(defective), parent=DatasetRef("small", 1)))
    store.save(replace(split_dataset(defective, seed=5), parent=DatasetRef("small", 2)))
    damage(folder(workspace, "small@2") / file)
    assert {str(info.ref) for info in store.list()} == {"small@1", "small@3"}
    assert store.damaged() == ("small@2",)
    assert [str(info.ref) for info in store.history("small@3")] == ["small@3"]
    assert store.save(split_dataset(defective, seed=6)).ref == DatasetRef("small", 4)


def test_foreign_files_in_the_workspace_do_not_matter(store, workspace, defective):
    store.save(defective)
    (workspace.datasets / "notes.txt").write_text("mine")
    (workspace.datasets / ".new-abc").mkdir()
    (workspace.datasets / "small" / ".new-def").mkdir()
    (workspace.datasets / "small" / "old").mkdir()
    assert [str(info.ref) for info in store.list()] == ["small@1"]
    assert store.damaged() == ()


def test_a_number_taken_by_another_process_is_passed_over(store, workspace, defective, monkeypatch):
    other = folder(workspace, "small@1")
    numbers = DatasetStore._numbers

    def late(self, name):
        found = numbers(self, name)
        other.mkdir(parents=True, exist_ok=True)
        (other / "data.parquet").touch()
        return found

    monkeypatch.setattr(DatasetStore, "_numbers", late)
    assert store.save(defective).ref == DatasetRef("small", 2)
