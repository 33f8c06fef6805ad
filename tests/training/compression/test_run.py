"""A compression from a version to a new one, measured beside it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, InputError, OptionError, ResourceError, StorageError, UnknownError
from lmcore.memory import Memory
from lmcore.models import load_model
from lmcore.models.load import TEMPERATURE
from lmcore.models.registry import ModelRegistry
from lmcore.models.structure import HEADS, INT8
from lmcore.settings import Settings
from lmcore.tasks import load_task
from lmcore.training import CompressConfig, TrainConfig, compress, train
from lmcore.training.calibration import probabilities
from lmcore.training.card import model_card
from lmcore.training.compression import job as compression_job
from lmcore.training.compression import speed
from lmcore.training.compression.run import CompressResult
from lmcore.training.compression.tradeoff import newest_tradeoff
from lmcore.training.evaluation import evaluate
from lmcore.training.fit import TrainResult
from lmcore.training.temperature import fit_temperature
from lmcore.types import Silent


@pytest.fixture(scope="module")
def stored(topics: TextDataset, shared_settings: Settings) -> TextDataset:
    return DatasetStore(shared_settings.workspace).save(topics)


@pytest.fixture(scope="module")
def original(stored: TextDataset, tiny_folder: Path, shared_settings: Settings) -> TrainResult:
    """A head on the second layer of the small model, registered as topics/1."""
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", layer=2, strength=1.0)
    return train(config, stored, settings=shared_settings)


@pytest.fixture(scope="module", autouse=True)
def _few_rounds() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed.measure_speed, "__kwdefaults__", {"singles": 4, "batches": 2, "report": None})
        yield


@pytest.fixture(scope="module")
def made(original: TrainResult, stored: TextDataset, shared_settings: Settings) -> Callable[..., CompressResult]:
    kept: dict[str, CompressResult] = {}

    def make(method: str, **options: Any) -> CompressResult:
        key = json.dumps([method, options])
        if key not in kept:
            config = CompressConfig(str(original.version.ref), method, **options)
            kept[key] = compress(config, stored, settings=shared_settings)
        return kept[key]

    return make


@pytest.mark.parametrize("method", ["heads", "layers", "magnitude", "int8"])
def test_a_new_version_says_where_it_comes_from_and_predicts_as_it_was_measured(
    method: str, made: Callable[..., CompressResult], original: TrainResult, stored: TextDataset,
    shared_settings: Settings,
) -> None:  # fmt: skip
    result = made(method)
    facts = result.version.facts["compression"]
    assert result.version.ref != original.version.ref
    assert (facts["method"], facts["from"], facts["root"]) == (method, "models:/topics/1", "models:/topics/1")
    assert result.version.facts["data"] == original.version.facts["data"]
    loaded = load_model(result.version.ref, settings=shared_settings)
    again = load_task(loaded.task).predict(loaded, stored.part("test").frame).predictions
    assert [p.label for p in again] == result.evaluation.predictions["label"].tolist()
    assert np.allclose([p.score for p in again], result.evaluation.predictions["score"])
    assert str(result.version.ref) in result.summary


@pytest.mark.parametrize("method", ["heads", "layers", "int8"])
def test_it_takes_less_room(method: str, made: Callable[..., CompressResult]) -> None:
    points = made(method).tradeoff.points.set_index("version")
    mine, first = points.loc[str(made(method).version.ref)], points.loc["models:/topics/1"]
    assert mine["bytes"] < first["bytes"]
    assert method == "int8" or mine["parameters"] < first["parameters"]


def test_the_version_that_it_was_made_from_stays_as_it_is(
    made: Callable[..., CompressResult], original: TrainResult, stored: TextDataset, shared_settings: Settings
) -> None:
    made("heads")
    again = evaluate(original.version.ref, stored, settings=shared_settings)
    assert again.metrics == original.evaluation.metrics
    config = load_model("models:/topics/1", settings=shared_settings).model.base_model.config
    assert not hasattr(config, HEADS)
    assert not hasattr(config, INT8)


def test_the_whole_family_is_measured_together(made: Callable[..., CompressResult], shared_settings: Settings) -> None:
    made("heads")
    result = made("int8")
    points = result.tradeoff.points
    assert points["original"].tolist() == [True] + [False] * (len(points) - 1)
    assert str(made("heads").version.ref) in set(points["version"])
    assert (points[["single_ms", "single_p95_ms", "batch_per_second", "bytes"]] > 0).all(axis=None)
    assert (points["single_p95_ms"] >= points["single_ms"]).all()
    assert result.tradeoff.parameters["threads"] >= 1
    kept = newest_tradeoff(shared_settings.workspace, "models:/topics/1", result.tradeoff.data)
    assert kept is not None
    assert set(kept.points["version"]) >= set(points["version"])


def test_a_compressed_version_can_be_compressed_again(
    made: Callable[..., CompressResult], stored: TextDataset, shared_settings: Settings
) -> None:
    first = made("heads")
    second = compress(CompressConfig(str(first.version.ref), "int8"), stored, settings=shared_settings)
    facts = second.version.facts["compression"]
    assert (facts["from"], facts["root"]) == (str(first.version.ref), "models:/topics/1")
    loaded = load_model(second.version.ref, settings=shared_settings)
    config = loaded.model.base_model.config
    assert getattr(config, HEADS) < config.num_attention_heads
    assert getattr(config, INT8)


@pytest.mark.parametrize("method", ["heads", "layers", "magnitude"])
def test_a_pruned_version_can_be_trained_further(
    method: str, made: Callable[..., CompressResult], stored: TextDataset, shared_settings: Settings
) -> None:
    result = made(method)
    config = TrainConfig("topics", model=str(result.version.ref), method="full", epochs=1, learning_rate=1e-3)
    further = train(config, stored, settings=shared_settings)
    old, new = (load_model(v.ref, settings=shared_settings).model for v in (result.version, further.version))
    assert [p.shape for p in new.parameters()] == [p.shape for p in old.parameters()]
    assert not all(a.equal(b) for a, b in zip(new.parameters(), old.parameters(), strict=True))


def test_a_head_can_be_trained_on_a_rounded_version(
    made: Callable[..., CompressResult], stored: TextDataset, shared_settings: Settings
) -> None:
    config = TrainConfig("rounded", model=str(made("int8").version.ref), layer=1, strength=1.0)
    further = train(config, stored, settings=shared_settings)
    loaded = load_model(further.version.ref, settings=shared_settings)
    assert getattr(loaded.model.base_model.config, INT8)


def test_the_card_says_how_it_was_made(made: Callable[..., CompressResult], shared_settings: Settings) -> None:
    result = made("heads")
    card = model_card(result.version.ref, settings=shared_settings)
    assert "compression (heads) of models:/topics/1" in card


@pytest.fixture
def warm(original: TrainResult, shared_settings: Settings, tmp_path: Path) -> Any:
    """The original with a temperature of 2, under a name of its own."""
    registry = ModelRegistry(shared_settings.workspace)
    folder = shared_settings.workspace.models / "warm" / tmp_path.name
    shutil.copytree(original.version.folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, TEMPERATURE: 2.0}))
    facts = {**original.version.facts, "temperature": 2.0, "calibrated_from": "x", "calibrated_on": "y"}
    return registry.register("warm", folder, task="text-classification", facts=facts)


def test_a_temperature_is_fitted_anew_to_the_weights_that_are_left(
    warm: Any, stored: TextDataset, shared_settings: Settings
) -> None:
    pruned = compress(CompressConfig(str(warm.ref), "layers", share=0.5), stored, settings=shared_settings).version
    assert load_model(warm.ref, settings=shared_settings).temperature == 2
    found = load_model(pruned.ref, settings=shared_settings).temperature
    dev = evaluate(pruned.ref, stored, split="dev", settings=shared_settings)
    assert not dev.predictions["correct"].all()
    assert found not in {1, 2}
    assert fit_temperature(*probabilities(dev)).temperature == pytest.approx(1, abs=1e-3), "it is the best on dev"
    card = model_card(pruned.ref, settings=shared_settings)
    assert f"temperature (fitted on {stored.ref}:dev)" in card
    assert f"{found:.3f}" in card
    assert pruned.facts["calibrated_from"] == str(warm.ref)


def test_a_temperature_is_forgotten_where_none_can_be_fitted(
    warm: Any, stored: TextDataset, shared_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("None of the dev rows is predicted wrongly.")

    monkeypatch.setattr("lmcore.training.compression.run.fit_temperature", refuse)
    pruned = compress(CompressConfig(str(warm.ref), "heads"), stored, settings=shared_settings).version
    assert load_model(pruned.ref, settings=shared_settings).temperature == 1
    assert "temperature" not in pruned.facts
    assert "temperature" not in model_card(pruned.ref, settings=shared_settings)


def test_the_card_shows_the_threshold_that_was_chosen_for_the_weights_that_are_left(
    shared_settings: Settings, topic_frame: Any, tiny_folder: Path
) -> None:
    frame = topic_frame.assign(
        label=[f"{label}|odd" if n % 2 else label for n, label in enumerate(topic_frame["label"])]
    )
    task = "multi-label-classification"
    data = split_dataset(TextDataset("sets", task, frame), seed=1)
    data = DatasetStore(shared_settings.workspace).save(data)
    config = TrainConfig("sets", task=task, model=f"folder:{tiny_folder}", layer=2, strength=1.0)
    first = train(config, data, settings=shared_settings).version
    made = compress(CompressConfig(str(first.ref), "layers", share=0.5), data, settings=shared_settings).version
    old, new = first.facts["choices"]["label_threshold"], made.facts["choices"]["label_threshold"]
    loaded = load_model(made.ref, settings=shared_settings)
    assert new == loaded.model.config.label_threshold
    assert new != old
    assert load_task(task).tune(loaded, data.part("dev").frame) == {"label_threshold": pytest.approx(new)}
    card = model_card(made.ref, settings=shared_settings)
    (line,) = [line for line in card.splitlines() if "label threshold (chosen on dev)" in line]
    assert f"{new:.3g}" in line


def test_it_runs_as_a_job(original: TrainResult, stored: TextDataset, shared_settings: Settings) -> None:
    given = compression_job.job_config(CompressConfig("models:/topics/1", "magnitude", share=0.9), str(stored.ref))
    done = compression_job.run(given, workspace=shared_settings.workspace, report=Silent(), resume=False)
    facts = ModelRegistry(shared_settings.workspace).get(done["version"]).facts["compression"]
    assert facts["options"] == {"share": 0.9, "scope": "model"}
    assert done["tradeoff"]


def test_what_cannot_be_done_is_said(original: TrainResult, stored: TextDataset, shared_settings: Settings) -> None:
    def run(version: str = "models:/topics/1", data: TextDataset = stored, **options: Any) -> None:
        compress(CompressConfig(version, **options), data, settings=shared_settings)

    with pytest.raises(OptionError, match=r"share is 1\.5: give a number from 0 up to 0\.99"):
        run(share=1.5)
    with pytest.raises(UnknownError, match="no compression method 'zip'"):
        run(method="zip")
    with pytest.raises(UnknownError, match="no registered model 'none'"):
        run("models:/none/1")
    with pytest.raises(InputError, match="is not a registered model"):
        run("packaged:all-MiniLM-L6-v2")
    with pytest.raises(DataError, match="is for summarisation and models:/topics/1 for text-classification"):
        run(data=replace(stored, task="summarisation"))
    with pytest.raises(DataError, match="one split alone"):
        run(data=stored.part("test"))
    with pytest.raises(OptionError, match="no setting 'depth'"):
        CompressConfig.from_dict({"version": "models:/topics/1", "depth": 3})
    with pytest.raises(OptionError, match="No version is named"):
        CompressConfig.from_dict({"method": "int8"})


def test_a_full_disk_registers_nothing(
    original: TrainResult, stored: TextDataset, shared_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from lmcore.training.compression import run

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run, "_save", refuse)
    registry = ModelRegistry(shared_settings.workspace)
    before = len(registry.list())
    with pytest.raises(StorageError, match="disk is full"):
        compress(CompressConfig("models:/topics/1", "int8"), stored, settings=shared_settings)
    assert len(registry.list()) == before
    assert not list(shared_settings.workspace.models.glob("topics/.new-*"))


def test_what_does_not_fit_into_memory_is_refused_with_the_figures(
    original: TrainResult, stored: TextDataset, shared_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, 1000))
    with pytest.raises(ResourceError, match=r"This takes about \d+ MiB of memory and 0 MiB are free"):
        compress(CompressConfig("models:/topics/1", "int8"), stored, settings=shared_settings)
