"""One run on a Ray cluster of two workers on this machine."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from lmcore.models import ModelRegistry
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.following import follow_run
from lmcore.training.distributed.rundir import RunFolder, make_plan
from lmcore.training.fit import train
from tests.training.conftest import FULL, Recorder

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install lmscope[cluster]")
OPTIONS = FULL | {"learning_rate": 1e-3, "epochs": 2}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster(monkeypatch):
    """Start the driver of a small cluster; whatever it leaves behind ends with the test."""
    started = []

    def start(folder):
        script = Path(__file__).with_name("ray_driver.py")
        env = os.environ | {"PYTHONPATH": str(ROOT), "LMSCOPE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", str(script), str(folder)]
        started.append(subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_loss_on_two_workers_of_a_cluster_is_that_of_one_process(uneven, calm, settings, cluster):
    expected, report = Recorder(), Recorder()
    single = train(TrainConfig("alone", model=calm, **OPTIONS), uneven, settings=settings, report=expected)
    folder = RunFolder(settings.workspace.checkpoints / "there-run")
    config = TrainConfig("both", model=calm, **OPTIONS)
    folder.begin(make_plan(config, str(uneven.ref), settings, checkpoints="there", resume=False, workers=2))
    process = cluster(folder.path)
    result = follow_run(folder, report, lambda: process.poll() is None, lambda: None)
    assert process.returncode == 0
    for name in ("loss", "learning_rate", "dev_loss", "dev_accuracy"):
        assert sorted(report.of(name)) == sorted(expected.of(name))
        assert report.of(name) == pytest.approx(expected.of(name), abs=1e-5)
    assert result["metrics"] == pytest.approx(dict(single.metrics), abs=1e-5)
    assert [v.version for v in ModelRegistry(settings.workspace).list("both")] == [1]
