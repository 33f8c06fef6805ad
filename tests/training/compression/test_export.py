from collections.abc import Callable
from pathlib import Path

import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError
from lmcore.models.exported import EXPORT, OnnxModel, load_exported
from lmcore.models.load import load_model
from lmcore.settings import Settings
from lmcore.tasks import load_task
from lmcore.training import CompressConfig, TrainConfig, compress, evaluate, train
from lmcore.training.compression.export import export_onnx
from lmcore.training.compression.made import CompressJob

pytest.importorskip("onnxruntime")


def test_a_version_with_an_export_is_measured_through_it(
    topics: TextDataset, tiny_folder: Path, shared_settings: Settings
) -> None:
    stored = DatasetStore(shared_settings.workspace).save(topics)
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", layer=2, strength=1.0)
    original = train(config, stored, settings=shared_settings)
    made = compress(CompressConfig(str(original.version.ref), "onnx"), stored, settings=shared_settings)
    assert (made.version.folder / EXPORT).is_file()
    assert made.version.facts["compression"]["largest_gap"] < 1e-4
    assert made.evaluation.metrics == original.evaluation.metrics
    assert made.evaluation.id == evaluate(made.version.ref, stored, settings=shared_settings).id
    exported = load_exported(made.version.ref, shared_settings)
    assert isinstance(exported.model, OnnxModel)
    assert exported.fingerprint != load_model(made.version.ref, settings=shared_settings).fingerprint
    predicted = load_task(exported.task).predict(exported, stored.part("test").frame).predictions
    assert [p.label for p in predicted] == original.evaluation.predictions["label"].tolist()
    mine = made.tradeoff.points.set_index("version").loc[str(made.version.ref)]
    assert mine["bytes"] == (made.version.folder / EXPORT).stat().st_size


def test_one_dev_row_is_too_few(make_job: Callable[..., CompressJob]) -> None:
    job = make_job(method="onnx")
    with pytest.raises(DataError, match="fewer than two rows"):
        export_onnx(CompressJob(job.config, job.task, job.loaded, job.dev.head(1), job.report))
