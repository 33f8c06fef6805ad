import json

import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import InputError, JobError, UnknownError
from lmcore.models import ModelRegistry
from lmcore.storage import write_json
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.job import job_config as compress_config
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import load_evaluation
from lmcore.training.job import job_config, run, stop_elsewhere
from lmcore.training.judging import curve_config
from lmcore.types import Silent


@pytest.fixture
def stored(topics, tracked, monkeypatch):
    """The text form of the stored data set, in a process whose environment names the CPU."""
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    return str(DatasetStore(tracked).save(topics).ref)


def test_a_job_trains_on_stored_data_and_answers_in_json(stored, tiny_ref, workspace):
    config = job_config(TrainConfig("topics", model=str(tiny_ref), strength=1.0), stored)
    answer = run(json.loads(json.dumps(config)), workspace=workspace, report=Silent(), resume=False)
    assert json.loads(json.dumps(answer)) == answer
    assert answer["version"] == "models:/topics/1"
    assert answer["choices"]["strength"] == 1.0
    version = ModelRegistry(workspace).get(answer["version"])
    assert version.facts["data"] == stored
    evaluation = load_evaluation(workspace, answer["evaluation"])
    assert evaluation.data == f"{stored}:test"
    assert answer["metrics"]["accuracy"] == evaluation.metrics["accuracy"]
    assert list(workspace.checkpoints.iterdir()) == []


def test_every_job_has_a_checkpoint_folder_of_its_own():
    config = TrainConfig("topics")
    assert job_config(config, "a@1")["checkpoints"] != job_config(config, "a@1")["checkpoints"]


def test_a_model_is_named_so_that_the_worker_finds_it(tiny_folder, monkeypatch):
    monkeypatch.chdir(tiny_folder.parent)
    for model in ("folder:tiny", "folder:./tiny", "tiny", f"folder:{tiny_folder}"):
        named = job_config(TrainConfig("topics", model=model), "a@1")["train"]["model"]
        assert named.removeprefix("folder:") == str(tiny_folder)
    for model in ("packaged:all-MiniLM-L6-v2", "bert-small"):
        assert job_config(TrainConfig("topics", model=model), "a@1")["train"]["model"] == model


def test_data_that_is_not_there_and_paths_that_lead_out_are_refused(stored, workspace):
    config = job_config(TrainConfig("topics"), "other@1")
    with pytest.raises(UnknownError, match="There is no stored data set 'other@1'"):
        run(config, workspace=workspace, report=Silent(), resume=False)
    with pytest.raises(InputError, match="checkpoint folder"):
        run(config | {"data": stored, "checkpoints": "../../x"}, workspace=workspace, report=Silent(), resume=False)


def test_an_alias_is_the_version_that_has_it_when_the_job_is_made(stored, tiny_ref, workspace, settings):
    config = job_config(TrainConfig("topics", model=str(tiny_ref), strength=1.0), stored)
    for _ in range(2):
        run(config, workspace=workspace, report=Silent(), resume=False)
    registry = ModelRegistry(workspace)
    registry.promote("topics", 1)
    named = TrainConfig("topics", model="models:/topics@champion", method="continual", anchor="none", epochs=1)
    told = job_config(named, stored, settings=settings)
    curve = curve_config(named, stored, settings=settings)
    smaller = compress_config(CompressConfig("models:/topics@champion", "int8"), stored, settings=settings)
    registry.promote("topics", 2)
    assert told["train"]["model"] == curve["train"]["model"] == smaller["compress"]["version"] == "models:/topics/1"
    answer = run(told, workspace=workspace, report=Silent(), resume=False)
    assert registry.get(answer["version"]).facts["base"] == "models:/topics/1"
    with pytest.raises(UnknownError, match="nothing"):
        job_config(TrainConfig("topics", model="models:/nothing@champion"), stored, settings=settings)


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:9"])
def test_a_run_on_a_cluster_that_does_not_answer_is_left_alone_only_where_that_is_wanted(
    workspace, monkeypatch, address
):
    monkeypatch.setenv("LMSCOPE_RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-token")
    config = {"checkpoints": "job-a", "cluster": True}
    stop_elsewhere(config, workspace=workspace, job="mine", others=[], force=False)  # nothing was submitted
    write_json(workspace.checkpoints / "job-a-run" / "ray.json", {"id": "lmscope-1"})
    with pytest.raises(
        JobError, match=r"may still go on on the Ray cluster and cannot be stopped.*LMSCOPE_RAY_ADDRESS"
    ):
        stop_elsewhere(config, workspace=workspace, job="mine", others=[], force=False)
    stop_elsewhere(config, workspace=workspace, job="mine", others=[], force=True)
    stop_elsewhere(config | {"cluster": False}, workspace=workspace, job="mine", others=[], force=False)
