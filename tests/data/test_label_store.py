import os
import signal
import subprocess
import sys
import threading

import pytest

from lmcore.data import label_store
from lmcore.data.label_store import LabelStore
from lmcore.errors import InputError, StorageError
from lmcore.types import DatasetRef

REF = DatasetRef("texts", 3)
WRITER = """
import sys
from pathlib import Path
from lmcore.data.label_store import LabelStore
from lmcore.settings import Workspace
from lmcore.types import DatasetRef
store = LabelStore(Workspace(Path(sys.argv[1])), DatasetRef("texts", 3))
for row in range(100_000):
    store.give(row, "ann", {"label": "tea"})
    print(row, flush=True)
"""


@pytest.fixture
def store(workspace):
    return LabelStore(workspace, REF)


def cells(store):
    return {(g.row, g.author): None if g.cells is None else dict(g.cells) for g in store.labels()}


def test_reading_makes_nothing(store, workspace):
    assert store.labels() == []
    assert store.undo("ann") is None
    assert store.claimed("ann") == frozenset()
    store.forget_skips("ann")
    assert not workspace.root.exists()


def test_what_was_said_last_counts_and_undo_brings_back_what_was_before(store):
    store.give(4, "ann", {"label": "tea"})
    store.give(9, "ann", None)
    store.give(4, "ann", {"label": "雨"})
    assert cells(store) == {(9, "ann"): None, (4, "ann"): {"label": "雨"}}
    assert [store.undo("ann") for _ in range(4)] == [4, 9, 4, None]
    assert cells(store) == {}


def test_authors_are_kept_apart(store):
    store.give(4, "ann", {"label": "tea"})
    store.give(4, " bo ", {"label": "rain"})
    assert cells(store) == {(4, "ann"): {"label": "tea"}, (4, "bo"): {"label": "rain"}}
    assert store.undo("ann") == 4
    assert cells(store) == {(4, "bo"): {"label": "rain"}}


def test_versions_of_a_data_set_are_kept_apart(store, workspace):
    store.give(4, "ann", {"label": "tea"})
    assert LabelStore(workspace, DatasetRef("texts", 4)).labels() == []


def test_skips_are_forgotten_and_labels_stay(store):
    store.give(1, "ann", None)
    store.give(2, "ann", {"label": "tea"})
    store.give(3, "bo", None)
    store.forget_skips("ann")
    assert set(cells(store)) == {(2, "ann"), (3, "bo")}


def test_a_row_is_shown_to_one_person_at_a_time(store, monkeypatch):
    assert store.claim(1, "ann")
    assert store.claim(1, "ann")
    assert not store.claim(1, "bo")
    assert store.claimed("bo") == {1}
    assert store.claimed("ann") == frozenset()
    assert store.claim(2, "ann"), "the row before is given free"
    assert store.claim(1, "bo")
    store.give(2, "ann", {"label": "tea"})
    assert store.claim(2, "bo")
    monkeypatch.setattr(label_store.time, "time", lambda: 1e12)
    assert store.claimed("ann") == frozenset()
    assert store.claim(2, "ann"), "who left long ago holds nothing"


@pytest.mark.parametrize("author", ["", "  ", "x" * 121, "a\nb", "\u200b"])
def test_an_author_needs_a_name_that_can_be_seen(store, author):
    with pytest.raises(InputError, match="is not a usable name"):
        store.give(1, author, {"label": "tea"})


def test_people_who_label_at_once_lose_nothing(store):
    def work(author):
        for row in range(25):
            store.give(row, author, {"label": author})

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ann", "bo", "cy", "di")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.labels()) == 100


def test_all_labels_of_a_file_are_recorded_or_none(store):
    with pytest.raises(TypeError):
        store.give_all({1: {"label": "tea"}, 2: {"label": object()}}, "ann")
    assert store.labels() == []


def test_a_killed_process_loses_no_label_that_it_gave(store, workspace):
    worker = subprocess.Popen([sys.executable, "-c", WRITER, str(workspace.root)], stdout=subprocess.PIPE, text=True)
    told = [int(worker.stdout.readline()) for _ in range(30)]
    os.kill(worker.pid, signal.SIGKILL)
    told += [int(line) for line in worker.stdout.read().split()]
    worker.wait()
    found = {label.row for label in store.labels()}
    assert set(told) <= found
    assert len(found) - len(told) <= 1, "the label under way is whole or not there"
    assert all(label.cells == {"label": "tea"} for label in store.labels())
    store.give(7, "bo", {"label": "rain"})
    assert (7, "bo") in cells(store)


def test_a_first_write_that_was_cut_short_leaves_an_empty_store(store, workspace):
    store._path.parent.mkdir(parents=True)
    store._path.touch()
    assert store.labels() == []
    store.give(1, "ann", {"label": "tea"})
    assert len(store.labels()) == 1


def test_a_damaged_file_is_told_in_one_sentence(store):
    store._path.parent.mkdir(parents=True)
    store._path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="are damaged: move the file away"):
        store.labels()


def test_who_may_only_look_gives_no_label(workspace):
    from dataclasses import replace

    from lmcore.access import Actor, Role
    from lmcore.errors import AccessError

    store = LabelStore(replace(workspace, actor=Actor("vi", "page", Role.VIEW)), REF)
    for change in (lambda: store.give(1, "vi", {"label": "tea"}), lambda: store.claim(1, "vi")):
        with pytest.raises(AccessError, match="Labelling rows needs the role edit: yours is view"):
            change()
    assert store.labels() == []
    assert not workspace.root.exists()
