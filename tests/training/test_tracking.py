import logging
import math
import time

import pytest

from lmcore.errors import Cancelled, StorageError
from lmcore.settings import Workspace
from lmcore.training import tracking
from lmcore.training.tracking import list_runs, run_metrics, track_run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all tests, since making its database takes a second; the newest run is the test's own."""
    return Workspace(tmp_path_factory.mktemp("tracking"))


def test_an_empty_workspace_has_no_runs_and_stays_empty(tmp_path):
    workspace = Workspace(tmp_path / "new")
    assert list_runs(workspace) == []
    assert run_metrics(workspace, "any").empty
    assert not workspace.root.exists()


def test_a_run_is_read_back_whole(workspace):
    before = time.time()
    with track_run(workspace, name="first", parameters={"epochs": 3, "model": "m", "ratios": [8, 1, 1]}) as run:
        for step in range(450):
            run.log(step, {"loss": 1 / (step + 1), "accuracy": step / 450})
        run.log(450, {"loss": math.nan})
        run.tag(dataset="feedback@2")
    record = list_runs(workspace)[0]
    assert (record.run_id, record.name, record.status) == (run.run_id, "first", "FINISHED")
    assert record.parameters == {"epochs": "3", "model": "m", "ratios": "[8, 1, 1]"}
    assert record.metrics["accuracy"] == pytest.approx(449 / 450)
    assert record.tags == {"dataset": "feedback@2"}
    assert before - 1 <= record.started <= record.ended <= time.time() + 1
    frame = run_metrics(workspace, run.run_id)
    assert list(frame.columns) == ["step", "time", "name", "value"]
    loss = frame[frame["name"] == "loss"]
    assert loss["step"].tolist() == list(range(451))
    assert loss["value"].tolist()[:450] == pytest.approx([1 / (step + 1) for step in range(450)])
    assert math.isnan(loss["value"].iloc[450])


@pytest.mark.parametrize(
    ("raised", "status"), [(Cancelled("stop"), "KILLED"), (KeyboardInterrupt(), "KILLED"), (ValueError(), "FAILED")]
)
def test_how_a_run_ended_is_told_truthfully(workspace, raised, status):
    def work() -> None:
        with track_run(workspace, name="a", parameters={}) as run:
            run.log(1, {"loss": 0.5})
            raise raised

    with pytest.raises(type(raised)):
        work()
    record = list_runs(workspace)[0]
    assert (record.status, record.metrics) == (status, {"loss": 0.5})


def test_a_running_run_shows_as_running(workspace):
    with track_run(workspace, name="a", parameters={}):
        record = list_runs(workspace)[0]
        assert (record.status, record.ended) == ("RUNNING", None)


def test_values_are_sent_in_batches(workspace, monkeypatch):
    with track_run(workspace, name="a", parameters={}) as run:
        sent = []
        real = run._client.log_batch
        monkeypatch.setattr(run._client, "log_batch", lambda i, metrics: (sent.append(len(metrics)), real(i, metrics)))
        for step in range(500):
            run.log(step, {"loss": 0.0})
        assert sent == [200, 200]
        run._next = time.monotonic()
        run.log(500, {"loss": 0.0})
        assert sent == [200, 200, 101]
        run.log(501, {"loss": 0.0})
    assert sent == [200, 200, 101, 1]


def test_long_parameters_are_cut_with_a_mark(workspace):
    with track_run(
        workspace, name="a", parameters={"texts": "x" * 7000, "short": "y"} | {f"p{i}": i for i in range(250)}
    ):
        pass
    parameters = list_runs(workspace)[0].parameters
    assert len(parameters) == 252
    assert len(parameters["texts"]) == 6000
    assert parameters["texts"].endswith("… (7000 characters)")


def test_a_dead_server_costs_one_warning(workspace, caplog):
    started = time.monotonic()
    caplog.set_level(logging.WARNING)
    with track_run(workspace, name="a", parameters={"x": 1}, tracking_uri="http://127.0.0.1:9") as run:
        for step in range(1000):
            run.log(step, {"loss": 0.0})
        run.tag(a="b")
    assert run.run_id == ""
    assert [record.name for record in caplog.records] == ["lmcore.training.tracking"]
    assert "training goes on" in caplog.text
    assert time.monotonic() - started < 30
    with pytest.raises(StorageError):
        list_runs(workspace, tracking_uri="http://127.0.0.1:9")


def test_a_store_that_fails_for_a_while_loses_nothing(workspace, caplog, monkeypatch):
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.0)
    away = workspace.root / "away.db"
    with caplog.at_level(logging.WARNING), track_run(workspace, name="a", parameters={}) as run:
        workspace.tracking.rename(away)
        for step in range(300):
            run.log(step, {"loss": float(step)})
        away.replace(workspace.tracking)
        run.log(300, {"loss": 300.0})
    assert len(caplog.records) == 1
    assert run_metrics(workspace, run.run_id)["value"].tolist() == [float(step) for step in range(301)]
    assert list_runs(workspace)[0].status == "FINISHED"
