import shutil

import pytest

from lmcore.errors import StorageError
from lmcore.training.checkpoints import (
    MANIFEST,
    begun_folder,
    complete,
    forget_begun,
    is_whole,
    newest_whole,
    seal,
)


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that makes a sealed checkpoint."""

    def make(step):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "deep").mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(range(256)) * 10)
        (folder / "deep" / "state.json").write_text("{}")
        seal(folder)
        return folder

    return make


def test_a_sealed_checkpoint_is_whole(checkpoint):
    assert is_whole(checkpoint(1))


DAMAGE = {
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "an empty manifest": lambda folder: (folder / MANIFEST).write_text("{}"),
    "half a manifest": lambda folder: (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:-20]),
    "a manifest of another kind": lambda folder: (folder / MANIFEST).write_text("[1]"),
    "a file is gone": lambda folder: (folder / "model.safetensors").unlink(),
    "a file below is gone": lambda folder: (folder / "deep" / "state.json").unlink(),
    "a file is cut": lambda folder: (folder / "model.safetensors").write_bytes(b"\x00\x01"),
    "a file is empty": lambda folder: (folder / "deep" / "state.json").write_text(""),
    "one byte differs": lambda folder: (folder / "model.safetensors").write_bytes(bytes(range(256)) * 9 + bytes(256)),
    "a folder in place of a file": lambda folder: (
        (folder / "model.safetensors").unlink(),
        (folder / "model.safetensors").mkdir(),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_does_not_count(checkpoint, damage, tmp_path):
    older, newer = checkpoint(9), checkpoint(10)
    assert newest_whole(tmp_path) == newer
    damage(newer)
    assert not is_whole(newer)
    assert newest_whole(tmp_path) == older


def test_the_highest_step_is_the_newest(checkpoint, tmp_path):
    for step in (100, 9, 20):
        checkpoint(step)
    shutil.copytree(tmp_path / "checkpoint-9", tmp_path / "checkpoint-best")
    (tmp_path / "checkpoint-200").write_text("a file")
    (tmp_path / "checkpoint-300").mkdir()
    assert newest_whole(tmp_path).name == "checkpoint-100"
    assert newest_whole(tmp_path / "nowhere") is None


def test_a_checkpoint_that_is_gone_cannot_be_sealed(tmp_path):
    with pytest.raises(StorageError):
        seal(tmp_path / "nowhere")


def begin(root, step, content="x"):
    folder = begun_folder(root) / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(content)


def test_a_checkpoint_has_its_name_only_once_it_is_whole(tmp_path):
    begin(tmp_path, 4)
    assert newest_whole(tmp_path) is None
    complete(tmp_path, 4)
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-4"
    begin(tmp_path, 8)
    forget_begun(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]


def test_the_two_newest_are_kept_and_a_damaged_one_is_written_anew(tmp_path):
    for step in (4, 8, 12):
        begin(tmp_path, step)
        complete(tmp_path, step)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-12", "checkpoint-8"]
    (tmp_path / "checkpoint-12" / "weights").write_text("damaged")
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-8"
    begin(tmp_path, 12, "again")
    complete(tmp_path, 12)
    assert (newest_whole(tmp_path) / "weights").read_text() == "again"
