import os
from pathlib import Path

import pytest

from lmcore.errors import OptionError, StorageError
from lmcore.settings import MIB, Settings, Workspace


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_environment({})
    assert settings == Settings(workspace=Workspace(Path.home() / ".lmscope"))
    assert settings.pool_bytes == 2048 * MIB


def test_every_variable_is_read(tmp_path):
    settings = Settings.from_environment(
        {
            "LMSCOPE_HOME": str(tmp_path),
            "LMSCOPE_DEVICE": "cpu",
            "LMSCOPE_POOL_MB": "64",
            "LMSCOPE_UPLOAD_MB": " 5 ",
            "LMSCOPE_MODEL_DIRS": f"{tmp_path}/a{os.pathsep}{os.pathsep}~/b",
            "MLFLOW_TRACKING_URI": "http://tracking",
            "LMSCOPE_SERVER_PORT": "9000",
            "LMSCOPE_JOBS": "3",
            "LMSCOPE_MAX_TOKENS": "1024",
            "LMSCOPE_RAY_ADDRESS": " http://head:8265 ",
            "LMSCOPE_RAY_WORKERS": "4",
            "LMSCOPE_RAY_DEVICE": "cuda",
        }
    )
    assert settings == Settings(
        workspace=Workspace(tmp_path),
        device="cpu",
        pool_bytes=64 * MIB,
        upload_bytes=5 * MIB,
        model_dirs=(tmp_path / "a", Path.home() / "b"),
        tracking_uri="http://tracking",
        server_port=9000,
        jobs_at_once=3,
        max_tokens=1024,
        ray_address="http://head:8265",
        ray_workers=4,
        ray_device="cuda",
    )


def test_the_home_of_a_user_who_is_not_there_is_a_plain_name():
    assert Settings.from_environment({"LMSCOPE_HOME": "~nosuchuser/x"}).workspace.root.parts[-2:] == (
        "~nosuchuser",
        "x",
    )


def test_a_relative_home_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"LMSCOPE_HOME": "here"}).workspace.root == tmp_path / "here"


@pytest.mark.parametrize("text", ["many", "-1", "0", "65536", "1.5", "²"])
def test_a_number_out_of_range_is_refused_by_name(text):
    with pytest.raises(OptionError, match=r"LMSCOPE_SERVER_PORT.*whole number from 1 to 65535"):
        Settings.from_environment({"LMSCOPE_SERVER_PORT": text})


def test_a_device_of_a_cluster_is_one_of_two():
    with pytest.raises(OptionError, match="LMSCOPE_RAY_DEVICE is 'gpu': give cpu or cuda"):
        Settings.from_environment({"LMSCOPE_RAY_DEVICE": "gpu"})


def test_all_that_is_stored_lies_in_the_workspace(workspace):
    places = [
        workspace.datasets,
        workspace.models,
        workspace.checkpoints,
        workspace.results,
        workspace.stores,
        workspace.jobs,
        workspace.serving,
        workspace.tracking,
    ]
    assert len(set(places)) == len(places)
    assert all(place.parent == workspace.root for place in places)
    assert not workspace.root.exists(), "reading a path makes nothing"


def test_a_folder_is_made_once(workspace):
    assert workspace.folder(workspace.models).is_dir()
    assert workspace.folder(workspace.models) == workspace.models


def test_a_workspace_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="set LMSCOPE_HOME to a folder"):
        Workspace(tmp_path / "file").folder(tmp_path / "file" / "models")
