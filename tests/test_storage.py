import errno
import json
import os
import threading

import pytest

from lmcore.errors import InputError, StorageError
from lmcore.storage import disk_errors, sync_tree, whole_folder, write_json, write_text


def left_over(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_folder_appears_with_all_its_files(tmp_path):
    target = tmp_path / "a" / "b"
    with whole_folder(target) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "x").write_text("1")
        assert not target.exists()
        assert folder.parent == target.parent
    assert (target / "deep" / "x").read_text() == "1"
    assert left_over(target.parent) == ["b"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [InputError("no"), ValueError("no"), KeyboardInterrupt()])
def test_an_error_while_it_is_filled_leaves_nothing(tmp_path, error):
    def fill():
        with whole_folder(tmp_path / "x") as folder:
            (folder / "half").write_text("1")
            raise error

    with pytest.raises(type(error)):
        fill()
    assert left_over(tmp_path) == []


def test_a_folder_that_exists_is_never_replaced(tmp_path):
    target = tmp_path / "x"
    target.mkdir()
    (target / "old").write_text("1")
    with pytest.raises(FileExistsError), whole_folder(target) as folder:
        (folder / "new").write_text("2")
    assert left_over(target) == ["old"]
    assert left_over(tmp_path) == ["x"]


def test_of_many_writers_exactly_one_wins(tmp_path):
    start, lost = threading.Barrier(6), []

    def write(number):
        try:
            with whole_folder(tmp_path / "x") as folder:
                (folder / "n").write_text(str(number))
                start.wait(20)
        except FileExistsError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(lost) == 5
    assert int((tmp_path / "x" / "n").read_text()) not in lost
    assert left_over(tmp_path) == ["x"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
    ],
)
def test_a_full_disk_is_one_sentence_whoever_reports_it(tmp_path, error):
    sentence = rf"The disk is full, {tmp_path.name}/x was not saved: free some space"
    with pytest.raises(StorageError, match=sentence) as caught, whole_folder(tmp_path / "x"):
        raise error
    assert caught.value.__cause__ is error
    assert left_over(tmp_path) == []


def test_what_the_disk_refuses_otherwise_is_named(tmp_path):
    with (
        pytest.raises(StorageError, match=r"x cannot be written \(Read-only file system\)"),
        disk_errors(tmp_path / "x"),
    ):
        raise OSError(errno.EROFS, "Read-only file system")


def test_errors_that_are_not_the_disks_pass_through(tmp_path):
    with pytest.raises(InputError, match="No space left on device, says the user"), disk_errors(tmp_path):
        raise InputError("No space left on device, says the user")
    with pytest.raises(ValueError, match="other"), disk_errors(tmp_path):
        raise ValueError("other")


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises((StorageError, FileExistsError)), whole_folder(tmp_path / "file" / "x"):
        pass


def test_a_text_is_replaced_at_once(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    write_text(path, "old")
    before = path.open(encoding="utf-8")
    write_text(path, "新\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))
    assert before.read() == "old", "a reader keeps what it opened"
    assert path.read_text(encoding="utf-8") == "新😀"
    assert left_over(path.parent) == ["x.txt"]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"b": 1, "a": "é"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "é", "b": 1}

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        write_json(path, {})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "é", "b": 1}
    assert left_over(tmp_path) == ["x.json"]


def test_every_file_and_folder_is_flushed(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("1")
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    sync_tree(tmp_path)
    wanted = [tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert sorted(flushed) == sorted(path.stat().st_ino for path in wanted)
