"""The dashboard is killed while a training job runs: the job goes on, and the next dashboard shows how it is."""

import os
import signal
import time

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard, JobState
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Workspace
from tests.browser.driving import HEIGHT, WIDTH, Dashboard, Visitor, browsing

pytestmark = [pytest.mark.fault, pytest.mark.browser, pytest.mark.timeout(600)]
SECONDS = 180


@pytest.fixture
def dashboard(tmp_path, topic_frame, tiny_folder, monkeypatch):
    monkeypatch.setenv("LMSCOPE_MODEL_DIRS", str(tiny_folder.parent))
    dashboard = Dashboard(tmp_path / "workspace", tmp_path / "dashboard.log")
    store = DatasetStore(Workspace(dashboard.home))
    raw = store.save(TextDataset("topics", "text-classification", topic_frame))
    store.save(split_dataset(raw, seed=1))
    dashboard.start()
    yield dashboard
    dashboard.kill()
    board = JobBoard(Workspace(dashboard.home), grace_seconds=1)
    for job in board.list():
        board.cancel(job.id)
        board.wait(job.id, SECONDS)


@pytest.fixture
def visitor(dashboard, tmp_path):
    with browsing() as browser:
        yield Visitor(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), dashboard.url, tmp_path)


def start_training(visitor, tiny_folder):
    """Start a training of all weights that would take hours."""
    visitor.open("Train")
    visitor.pick("Model", tiny_folder.name)
    visitor.pick("Method", "All weights")
    visitor.page.get_by_text("Settings", exact=True).click()
    epochs = visitor.page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("1000")
    epochs.press("Enter")
    visitor.settle()
    visitor.press("Start training")
    visitor.picked("Run", "Train topics on topics@2 · running")


def test_a_killed_dashboard_loses_nothing(dashboard, visitor, tiny_folder):
    start_training(visitor, tiny_folder)
    board = JobBoard(Workspace(dashboard.home))
    (job,) = board.list(kind="train")
    deadline = time.monotonic() + SECONDS
    while board.get(job.id).progress <= 0 or not board.metrics(job.id):
        assert time.monotonic() < deadline, board.log(job.id)
        time.sleep(0.05)

    os.kill(dashboard.process.pid, signal.SIGKILL)
    dashboard.process.wait()
    before = board.get(job.id)
    assert before.state is JobState.RUNNING
    while board.get(job.id).progress <= before.progress:
        assert time.monotonic() < deadline, "the job does not go on without the dashboard"
        time.sleep(0.05)

    dashboard.start()
    visitor.open()
    visitor.sees("A model is being trained.")
    visitor.expect(
        visitor.page.get_by_test_id("stSidebar").get_by_text("Train topics on topics@2: running")
    ).to_be_visible()
    visitor.go("Train")
    visitor.picked("Run", "Train topics on topics@2 · running")
    visitor.chart("Figures on dev")
    shown = visitor.page.get_by_test_id("stMain").get_by_role("progressbar").first
    visitor.expect(shown).to_be_visible()
    assert abs(float(shown.get_attribute("aria-valuenow")) / 100 - board.get(job.id).progress) < 0.1
    assert board.get(job.id).attempt == 1

    visitor.press("Cancel")
    visitor.sees("This job was cancelled; what it saved before is kept.")
    assert board.get(job.id).state is JobState.CANCELLED
    visitor.expect(visitor.page.get_by_role("button", name="Resume")).to_be_visible()
    visitor.is_content()
    assert ModelRegistry(Workspace(dashboard.home)).list() == []
