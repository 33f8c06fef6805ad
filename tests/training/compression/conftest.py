"""Jobs of compression methods on the small model."""

from collections.abc import Callable
from typing import Any

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.made import CompressJob
from lmcore.types import Silent


@pytest.fixture
def make_job(tiny_loaded: LoadedModel, topics: TextDataset) -> Callable[..., CompressJob]:
    """Return a builder of jobs on the small classifier of 2 layers and 4 heads."""

    def make(*, loaded: LoadedModel = tiny_loaded, report: Any = None, **options: Any) -> CompressJob:
        config = CompressConfig.from_dict({"version": "models:/topics/1", **options})
        return CompressJob(
            config, load_task("text-classification"), loaded, topics.part("dev").frame, report or Silent()
        )

    return make
