import json

import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, InputError, UnknownError
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import load_evaluation
from lmcore.training.judging import curve_config, run_curve, run_evaluation
from lmcore.types import Silent
from tests.training.conftest import Stopper


@pytest.fixture
def stored(topics, shared_settings, monkeypatch):
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    return str(DatasetStore(shared_settings.workspace).save(topics).ref)


def test_an_evaluation_as_a_job(trained, stored, shared_settings):
    config = {"version": "models:/topics/1", "data": stored, "split": "dev"}
    answer = run_evaluation(config, workspace=shared_settings.workspace, report=Silent(), resume=False)
    assert json.loads(json.dumps(answer)) == answer
    kept = load_evaluation(shared_settings.workspace, answer["evaluation"])
    assert (kept.version, kept.data) == ("models:/topics/1", f"{stored}:dev")
    assert answer["metrics"] == dict(kept.metrics)


def test_it_can_be_stopped_and_says_what_is_not_there(trained, stored, shared_settings):
    config = {"version": "models:/topics/1", "data": stored, "split": "dev"}
    with pytest.raises(Cancelled):
        run_evaluation(config, workspace=shared_settings.workspace, report=Stopper(1), resume=False)
    for wrong in ({"version": "models:/gone/1"}, {"data": "gone@1"}):
        with pytest.raises(UnknownError, match="gone"):
            run_evaluation(config | wrong, workspace=shared_settings.workspace, report=Silent(), resume=False)


def test_a_curve_has_a_checkpoint_folder_of_its_own_inside_the_workspace(stored, shared_settings):
    config = TrainConfig("topics")
    assert curve_config(config, stored)["checkpoints"] != curve_config(config, stored)["checkpoints"]
    wrong = curve_config(config, stored) | {"checkpoints": "../../x"}
    with pytest.raises(InputError, match="checkpoint folder"):
        run_curve(wrong, workspace=shared_settings.workspace, report=Silent(), resume=False)
