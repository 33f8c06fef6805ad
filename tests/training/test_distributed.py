"""Two processes train one model: what they do is what one would do."""

import pytest

from lmcore.errors import Cancelled
from lmcore.models import ModelRegistry
from lmcore.training.config import TrainConfig
from lmcore.training.fit import train
from lmcore.training.job import job_config, run
from tests.training.conftest import FULL, Recorder

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
def alone(uneven, calm, settings):
    """What a single process reports of the same run."""
    report = Recorder()
    result = train(TrainConfig("alone", model=calm, **OPTIONS), uneven, settings=settings, report=report)
    return report, result


def test_two_workers_that_are_stopped_and_resumed_do_what_one_process_does(uneven, calm, alone, workspace):
    expected, single = alone
    config = job_config(TrainConfig("both", model=calm, **OPTIONS), str(uneven.ref), workers=2)
    first, second = StopsAfter(8), Recorder()
    with pytest.raises(Cancelled, match="its last checkpoint is kept"):
        run(config, workspace=workspace, report=first, resume=False)
    result = run(config, workspace=workspace, report=second, resume=True)
    print({s: v - expected.of("loss")[s] for s, v in (first.of("loss") | second.of("loss")).items()})
    assert max(first.of("loss")) < LAST_STEP
    assert min(second.of("loss")) > 8
    for name in ("loss", "learning_rate", "dev_loss", "dev_accuracy"):
        found = first.of(name) | second.of(name)
        assert sorted(found) == sorted(expected.of(name))
        assert found == pytest.approx(expected.of(name), abs=1e-5)
    assert [v.version for v in ModelRegistry(workspace).list("both")] == [1]
    assert result["metrics"] == pytest.approx(dict(single.metrics), abs=1e-5)
    assert list(workspace.checkpoints.iterdir()) == []
