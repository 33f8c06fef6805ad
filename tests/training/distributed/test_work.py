"""Two processes train one model: what they do is what one would do. On a Ray cluster they are started in `test_cluster`."""

import os
import subprocess
import sys

import pytest

from lmcore.errors import Cancelled, JobError
from lmcore.models import ModelRegistry
from lmcore.training.config import TrainConfig
from lmcore.training.distributed import launch
from lmcore.training.fit import train
from lmcore.training.job import job_config, run
from tests.conftest import ROOT
from tests.training.conftest import FULL, Recorder
from tests.training.distributed.sabotaged import STOPPED_AT

OPTIONS = FULL | {"learning_rate": 1e-3, "save_steps": 5}
LAST_STEP = 18  # three epochs of 95 rows in batches of 16


class StopsAfter(Recorder):
    """Asks to stop once a loss was heard at a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def check(self):
        if max(self.of("loss"), default=0) >= self.step:
            raise Cancelled("stop")


@pytest.fixture
def sabotaged(monkeypatch):
    """Return a function that names what goes wrong in the processes of the next runs."""

    def sabotage(what):
        def start(folder, environment):
            command = [sys.executable, "-m", "tests.training.distributed.sabotaged", str(folder.path), what]
            paths = os.pathsep.join([str(ROOT), environment["PYTHONPATH"]])
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment | {"PYTHONPATH": paths}
            )

        monkeypatch.setattr(launch, "_start", start)

    return sabotage


@pytest.fixture
def both(uneven, calm):
    """The configuration of a job of two workers."""
    return job_config(TrainConfig("both", model=calm, **OPTIONS), str(uneven.ref), workers=2)


def test_two_workers_that_are_stopped_and_resumed_do_what_one_process_does(
    uneven, calm, both, settings, workspace, sabotaged
):
    sabotaged("stopped")
    expected, first, second = Recorder(), StopsAfter(STOPPED_AT), Recorder()
    single = train(TrainConfig("alone", model=calm, **OPTIONS), uneven, settings=settings, report=expected)
    with pytest.raises(Cancelled, match="its last checkpoint is kept"):
        run(both, workspace=workspace, report=first, resume=False)
    result = run(both, workspace=workspace, report=second, resume=True)
    assert max(first.of("loss")) < LAST_STEP
    assert min(second.of("loss")) > STOPPED_AT, "it goes on from where it was stopped"
    for name in ("loss", "learning_rate", "dev_loss", "dev_accuracy"):
        found = first.of(name) | second.of(name)
        assert sorted(found) == sorted(expected.of(name))
        assert found == pytest.approx(expected.of(name), abs=1e-5)
    assert [v.version for v in ModelRegistry(workspace).list("both")] == [1]
    assert result["metrics"] == pytest.approx(dict(single.metrics), abs=1e-5)
    assert list(workspace.checkpoints.iterdir()) == []
    assert second.fractions[-1] > 0.85


def test_a_worker_that_is_killed_ends_the_run_with_a_sentence(both, workspace, sabotaged):
    sabotaged("killed")
    with pytest.raises(JobError, match="Another of the 2 workers has ended"):
        run(both, workspace=workspace, report=Recorder(), resume=False)
    assert ModelRegistry(workspace).list("both") == []


def test_what_stops_the_leader_is_the_reason_of_all(both, workspace, sabotaged):
    sabotaged("full")
    with pytest.raises(JobError, match=r"The disk is full, checkpoint-5 was not saved"):
        run(both, workspace=workspace, report=Recorder(), resume=False)


def test_processes_that_are_started_say_why_they_end(both, workspace, monkeypatch):
    """What the processes are told is written before; here by another version than theirs."""
    monkeypatch.setattr("lmcore.__version__", "0.0.1")
    with pytest.raises(JobError, match=r"The run was started by LMScope 0\.0\.1, and this worker has"):
        run(both, workspace=workspace, report=Recorder(), resume=False)
