import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import StorageError
from lmcore.jobs import JobBoard
from lmcore.jobs.selftest import TARGET
from lmcore.models.registry import ModelRegistry
from lmcore.overview import overview
from lmcore.projection.representations import RepresentationMap, save_map
from lmcore.serving.server import ServerState, write_state
from lmcore.settings import Workspace
from lmcore.training.evaluation import Evaluation, save_evaluation

STAGES = ("Data", "Train", "Analyse", "Visualise", "Operate")


@pytest.fixture
def board(workspace):
    board = JobBoard(workspace, grace_seconds=0.1)
    yield board
    for job in board.list():
        if not job.state.ended:
            board.cancel(job.id)
            board.wait(job.id, 30)


@pytest.fixture
def look(settings, board):
    """The state of one stage, or of all."""

    def look(stage=None):
        found = overview(settings, board)
        assert tuple(state.stage for state in found.stages) == STAGES
        return found if stage is None else found.stages[STAGES.index(stage)]

    return look


@pytest.fixture(scope="module")
def made(tmp_path_factory, topics):
    """A workspace with a split data set and a version of a model; each test gets a copy."""
    place = Workspace(tmp_path_factory.mktemp("made") / "workspace")
    kept = DatasetStore(place).save(topics)
    folder = place.folder(place.models / "topics" / "first")
    ModelRegistry(place).register("topics", folder, task="text-classification", facts={"data": str(kept.ref)})
    return place.root


@pytest.fixture
def registered(workspace, made):
    """The version of a model in the workspace of the test."""
    shutil.copytree(made, workspace.root)
    return ModelRegistry(workspace).get("models:/topics/1")


def evaluate(workspace, version, wrong=1, baseline=0.1, name="kept"):
    predictions = pd.DataFrame(
        {
            "id": [4, 7, 9],
            "text": ["one", "two", "three"],
            "gold": ["food"] * 3,
            "label": ["food" if n >= wrong else "travel" for n in range(3)],
            "score": [0.7, 0.9, 0.8],
            "correct": [n >= wrong for n in range(3)],
        }
    )
    baselines = pd.DataFrame([{"name": "majority class", "f1_macro": baseline}])
    save_evaluation(
        workspace,
        Evaluation(
            name, str(version.ref), "topics@1:test", "text-classification",
            {"f1_macro": 0.75}, {"f1_macro": (0.5, 0.875)}, predictions, {"baselines": baselines}, {"rows": 3},
        ),
    )  # fmt: skip


def test_an_empty_workspace(look, workspace):
    found = look()
    assert found.empty
    assert {state.condition for state in found.stages} == {"empty"}
    assert all(state.choices == {} for state in found.stages)
    assert look("Train").next_step == "First split a data set on the Data page."


def test_a_data_set_that_is_not_split_asks_for_it(look, workspace, topic_frame):
    DatasetStore(workspace).save(TextDataset("raw", "text-classification", topic_frame))
    state = look("Data")
    assert state.condition == "attention"
    assert state.verdict == "1 data set in 1 version; the newest, raw@1, has 120 rows."
    assert state.choices == {"dataset": "raw@1"}
    assert look("Train").next_step == "First split a data set on the Data page."
    assert not look().empty


def test_split_data_are_ready_and_ask_for_a_model(look, workspace, topics, topic_frame):
    store = DatasetStore(workspace)
    store.save(TextDataset("raw", "text-classification", topic_frame))
    store.save(topics)
    state = look("Data")
    assert state.condition == "ready"
    assert state.verdict == "2 data sets in 2 versions; the newest, topics@1, has 120 rows and is split."
    assert look("Train").next_step == "Train a first model."


def test_a_version_that_was_not_evaluated(look, registered):
    assert look("Train").verdict == "models:/topics/1 is registered, not evaluated."
    assert look("Analyse").condition == "ready"
    assert look("Visualise").verdict == "No map has been drawn yet."
    assert look("Operate").next_step == "Promote models:/topics/1 and start the prediction server."


def test_a_good_version(look, workspace, registered):
    evaluate(workspace, registered)
    state = look("Train")
    assert state.condition == "ready"
    assert state.verdict == "models:/topics/1 on the test split: Macro F1 is 0.750 (95 % interval 0.500 to 0.875)."
    assert state.choices == {"version": "models:/topics/1"}


def test_a_version_that_a_baseline_equals_asks_to_be_looked_at(look, workspace, registered):
    evaluate(workspace, registered, baseline=0.75)
    assert look("Train").condition == "attention"
    assert look("Train").verdict.endswith("A plain baseline does as well.")


def test_the_surest_error_is_one_click_away(look, workspace, registered):
    evaluate(workspace, registered, wrong=2)
    state = look("Analyse")
    assert state.condition == "attention"
    assert state.verdict == (
        "models:/topics/1 is wrong on 2 of 3 test rows; the surest error takes 'food' for 'travel' with 90%."
    )
    assert state.choices == {"version": "models:/topics/1", "dataset": "topics@1", "row": "7"}


def test_a_version_without_errors(look, workspace, registered):
    evaluate(workspace, registered, wrong=0)
    assert look("Analyse").condition == "ready"
    assert look("Analyse").verdict == "models:/topics/1 is right on all 3 test rows."


def test_the_champion_is_spoken_of_before_newer_versions(look, workspace, registered):
    folder = workspace.folder(workspace.models / "topics" / "second")
    registry = ModelRegistry(workspace)
    registry.register("topics", folder, task="text-classification")
    assert look("Operate").choices == {"version": "models:/topics/2"}
    registry.promote("topics", 1)
    assert look("Operate").verdict == "models:/topics/1 is the champion; no server is running."
    assert look("Operate").next_step == "Start the prediction server."
    shutil.rmtree(workspace.models / "topics" / "first")
    assert look("Operate").choices == {"version": "models:/topics/2"}


def test_the_newest_map_is_told(look, workspace, registered):
    points = pd.DataFrame({"id": [1], "x": [0.0]})
    parameters = {"method": "umap", "version": "models:/topics/1", "data": "topics@1:test"}
    drawn = RepresentationMap(points, 5, 1, {"trustworthiness": 0.953}, (), parameters, "f")
    save_map(workspace, "abc", drawn)
    assert look("Visualise").verdict == (
        "1 map; the newest is UMAP of layer 5 over topics@1:test, neighbourhoods kept to 0.95."
    )
    save_map(workspace, "abd", replace(drawn, quality={}))
    assert look("Visualise").verdict == "2 maps; the newest is UMAP of layer 5 over topics@1:test."
    assert look("Visualise").condition == "ready"
    assert look("Visualise").choices == {
        "version": "models:/topics/1",
        "dataset": "topics@1",
        "layer": "5",
        "visualise_method": "UMAP",
        "visualise_split": "test",
    }


@pytest.mark.parametrize(("kind", "stage"), [("train", "Train"), ("map", "Visualise")])
def test_what_runs_is_running(look, board, registered, kind, stage):
    board.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Work", kind=kind)
    assert look(stage).condition == "running"
    assert not look().empty


def test_a_first_training_is_running(look, board, workspace, topics):
    DatasetStore(workspace).save(topics)
    board.submit(TARGET, {"to": 1000, "pause": 0.05}, title="Work", kind="train")
    state = look("Train")
    assert (state.condition, state.verdict) == ("running", "A model is being trained.")
    assert state.next_step == "Watch it."


@pytest.mark.parametrize(
    ("state", "condition", "said"),
    [
        ("failed", "attention", "The weights cannot be read."),
        ("died", "attention", "The weights cannot be read."),
        ("stopped", "ready", "No version is the champion yet."),
    ],
)
def test_the_server(look, workspace, registered, state, condition, said):
    write_state(workspace, ServerState(state, version="models:/topics/1", message="The weights cannot be read."))
    found = look("Operate")
    assert (found.condition, found.verdict) == (condition, said)


def test_a_server_whose_process_is_gone_asks_to_be_looked_at(look, workspace, registered):
    write_state(workspace, ServerState("running", version="models:/topics/1", pid=2**22, url="http://127.0.0.1:1"))
    assert look("Operate").condition == "attention"
    assert "ended without being stopped" in look("Operate").verdict


def test_a_damaged_evaluation_is_an_error_of_lmscope(look, workspace, registered):
    evaluate(workspace, registered)
    (workspace.results / "evaluations" / "kept" / "predictions.parquet").write_bytes(b"no")
    with pytest.raises(StorageError):
        look()


def test_a_damaged_map_is_an_error_of_lmscope(look, workspace, registered):
    folder = workspace.folder(workspace.results / "maps" / "abc")
    (folder / "map.json").write_text("{")
    with pytest.raises(StorageError, match="abc"):
        look()


def test_no_model_is_loaded(look, registered, monkeypatch):
    monkeypatch.setattr("lmcore.models.load.load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    assert np.all([state.verdict for state in look().stages])
