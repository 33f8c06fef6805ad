"""A search whose worker is killed goes on with the trial that was under way, and with no other."""

import os
import signal
from dataclasses import replace

import pandas as pd
import pytest

from lmcore.data.store import DatasetStore
from lmcore.jobs import JobState
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.job import SEARCH, search_config
from lmcore.training.tuning.result import load_search
from lmcore.training.tuning.run import search
from lmcore.training.tuning.space import Choices
from tests.faults.test_training import board, until  # noqa: F401 - a fixture

pytestmark = pytest.mark.fault

EPOCHS = 12


def test_a_killed_search_gives_the_same_trials(board, topics, tiny_ref, tracked, tmp_path):  # noqa: F811
    data = str(DatasetStore(tracked).save(topics).ref)
    base = TrainConfig("topics", model=str(tiny_ref), method="full", epochs=EPOCHS, batch_size=16, save_steps=5)
    space = {"learning_rate": Choices((1e-4, 2e-3, 5e-3)), "schedule": Choices(("linear", "constant"))}
    config = SearchConfig(base, space, trials=3, startup=2, register=False)
    wanted = search_config(config, data, workspace=tracked)
    job = board.submit(SEARCH, wanted, title="Search", kind="search")
    folder = tracked.checkpoints / f"search-{wanted['id']}" / "trial-1"
    until(lambda: list(folder.glob("checkpoint-*/manifest.json")), lambda: board.log(job.id))
    os.kill(board.get(job.id).pid, signal.SIGKILL)
    until(lambda: not board.get(job.id).worker.alive())
    left = load_search(tracked, wanted["id"]).trials
    assert board.get(job.id).state == JobState.FAILED
    assert left["state"].tolist() == ["finished", "running"]

    done = board.wait(board.resume(job.id).id, 240)
    assert (done.state, done.error) == (JobState.DONE, ""), board.log(job.id)
    found = load_search(tracked, done.result["search"])
    assert found.trials.iloc[0].equals(left.iloc[0]), "the trial that had ended was not run again"
    settings = Settings(workspace=Workspace(tmp_path / "other"), device="cpu")
    whole = search(replace(config), topics, settings=settings)
    pd.testing.assert_frame_equal(found.trials.drop(columns="seconds"), whole.trials.drop(columns="seconds"))
    assert done.result["best"] == whole.best.to_dict()
    assert not folder.parent.exists()
