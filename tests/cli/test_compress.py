"""``lmcore compress``."""

import shutil

import pytest

from lmcore.jobs import JobBoard
from lmcore.models import ModelRegistry
from lmcore.settings import Workspace
from lmcore.training.compression.job import TARGET, compress_bytes


@pytest.fixture(scope="module")
def home(tmp_path_factory, trained_home):
    place = tmp_path_factory.mktemp("compressed") / "home"
    shutil.copytree(trained_home, place)
    return place


def test_a_version_is_made_smaller(ask, run, home):
    answer = ask("compress", "models:/topics@champion", "--method", "int8", home=home)
    assert answer["version"] == "models:/topics/2"
    assert answer["compression"]["from"] == "models:/topics/1"
    assert [point["how"] for point in answer["tradeoff"]] == ["original", "int8"]
    assert answer["tradeoff"][1]["bytes"] < answer["tradeoff"][0]["bytes"]
    shown = run("compress", "models:/topics/1", "topics@1", "--method", "magnitude", "--share", "0.5", home=home)
    assert shown.exit_code == 0
    assert "are zero (50.0%)" in shown.stdout
    assert "magnitude 50%" in shown.stdout
    assert "all versions in turn" in shown.stdout


def test_it_can_be_a_job(ask, home):
    answer = ask("compress", "models:/topics/1", "--method", "int8", "--background", home=home)
    board = JobBoard(Workspace(home), grace_seconds=0.1)
    job = board.get(answer["job"]["id"])
    assert (job.target, job.kind) == (TARGET, "compress")
    assert job.config["data"] == "topics@1"
    version = ModelRegistry(Workspace(home)).get("models:/topics/1")
    assert job.needs_bytes == compress_bytes(version) > (version.folder / "model.safetensors").stat().st_size
    board.cancel(job.id)
    board.wait(job.id, 30)


def test_what_a_method_does_not_take_is_refused(refused, home):
    said = refused("compress", "models:/topics/1", "--method", "int8", "--share", "0.5", home=home)
    assert said == "int8 has no option 'share'; it takes: none."
    said = refused("compress", "models:/topics/1", "--share", "2", home=home)
    assert said == "The option share is '2': give a number from 0 up to 0.99."
