"""One compression, from a registered version to a new one that is measured beside it."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import TEMPERATURE, LoadedModel, load_model
from lmcore.settings import Settings
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.training.calibration import table_probabilities
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.made import Compressed, CompressJob
from lmcore.training.compression.methods import COMPRESSION
from lmcore.training.compression.tradeoff import Tradeoff, load_as_measured, measure_tradeoff, root_of
from lmcore.training.evaluation import Evaluation
from lmcore.training.kept import ensure_evaluation
from lmcore.training.needs import available_bytes, refuse_above
from lmcore.training.temperature import fit_temperature
from lmcore.types import Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion

_COPIES = 4
_OF_TEMPERATURE = ("temperature", "calibrated_from", "calibrated_on")


@dataclass(frozen=True, eq=False)
class CompressResult:
    """What a compression left behind.

    Attributes:
        version: the new version; the one it was made from stays as it is.
        evaluation: the new version's on the test split, kept in the workspace.
        tradeoff: the family's figures, measured side by side.
        summary: what was done, and what it brings and costs, in two sentences.
        seconds: how long it took.
    """

    version: "ModelVersion"
    evaluation: Evaluation
    tradeoff: Tradeoff
    summary: str
    seconds: float


def compress(
    config: CompressConfig,
    data: TextDataset,
    *,
    settings: Settings | None = None,
    report: Report | None = None,
) -> CompressResult:
    """Make a registered version smaller, register the outcome as a new version, and measure both side by side.

    What is judged is judged on dev; test is only measured. A pruned version can be trained further by the method
    ``full``.

    Args:
        config: which version, and how.
        data: a split data set of the version's task.
        settings: the workspace; the work is done on the CPU.
        report: progress and cancellation.

    Raises:
        OptionError: a setting is out of range, or the method does not cover the model's architecture.
        InputError: there is no such version, its files are gone, or an extra is not installed.
        DataError: the data set is not split, is for another task, or its rows cannot be judged on.
        ResourceError: it would not fit into the memory that is free; the message has the figures.
        StorageError: the disk is full; nothing half-written is registered.
        Cancelled: the report asked to stop.
    """
    from lmcore.models.registry import ModelRegistry

    started = time.time()
    settings, report = settings or Settings.from_environment(), report or Silent()
    config = config.checked()
    base = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(config.version)
    dev = _dev(base, data)
    refuse_above(working_bytes(base), available_bytes("cpu"))
    report.progress(0.0, "Loading the model")
    loaded = load_model(base.ref, device="cpu", settings=settings)
    task = load_task(base.task).adapted(loaded.model.config)
    task.check(dev.frame, f"The dev split of {data.name!r}", loaded.labels)
    job = CompressJob(config, task, loaded, dev.frame, Part(report, 0.05, 0.4))
    made: Compressed = COMPRESSION[config.method].load()(job)
    facts = _choose_again(base, job, dev) if made.retuned else base.facts
    version = _register(base, job, made, facts, settings)
    report.progress(0.4, "Measuring the quality on the test split")
    measured = load_as_measured(version, settings)
    evaluation = ensure_evaluation(measured, data, settings=settings, report=Part(report, 0.4, 0.6))
    tradeoff = measure_tradeoff(version, data, settings=settings, report=Part(report, 0.6, 1.0))
    said = f"{made.summary} {tradeoff.sentence(str(version.ref))}"
    return CompressResult(version, evaluation, tradeoff, said, time.time() - started)


def working_bytes(version: "ModelVersion") -> int:
    """Return about how much memory is worked in: the model, what is judged by it, and one to compare with."""
    return _COPIES * sum(path.stat().st_size for path in version.folder.glob("*.safetensors"))


def _dev(base: "ModelVersion", data: TextDataset) -> TextDataset:
    if data.task != base.task:
        raise DataError(
            f"{data.ref or data.name} is for {data.task} and {base.ref} for {base.task}: take data of its task."
        )
    if data.ref and data.ref.split:
        raise DataError(f"{data.ref} is one split alone: name the whole data set, whose dev split is judged on.")
    return data.part("dev")


def _choose_again(base: "ModelVersion", job: CompressJob, dev: TextDataset) -> dict[str, Any]:
    """Choose on dev what reading the changed model's outputs needs, and fit its temperature where the version had one.

    Returns:
        The version's facts with what was chosen in the place of what was chosen for the old weights; no temperature is
        among them where dev has no row that the model gets wrong, from which alone one could be fitted.
    """
    config = job.loaded.model.config
    calibrated = job.loaded.temperature != 1
    if hasattr(config, TEMPERATURE):
        setattr(config, TEMPERATURE, 1.0)
    found = job.task.tune(job.loaded, job.dev)
    for name, value in found.items():
        setattr(config, name, value)
    facts = {name: value for name, value in base.facts.items() if name not in _OF_TEMPERATURE}
    if found:
        facts["choices"] = {**facts.get("choices", {}), **found}
    if calibrated:
        with suppress(InputError):
            setattr(config, TEMPERATURE, _fitted_temperature(job))
            facts |= {"temperature": job.loaded.temperature, "calibrated_from": str(base.ref)}
            facts |= {"calibrated_on": str(dev.ref or dev.name)}
    return facts


def _fitted_temperature(job: CompressJob) -> float:
    """Return the temperature that suits the changed model on dev.

    Raises:
        InputError: it gets every row right.
    """
    predictions = job.task.predict(job.loaded, job.dev, report=job.report).predictions
    return fit_temperature(*table_probabilities(job.task.table(job.dev, predictions))).temperature


def _register(
    base: "ModelVersion", job: CompressJob, made: Compressed, known: Mapping[str, Any], settings: Settings
) -> "ModelVersion":
    """Register the changed model with what is known of it."""
    from lmcore.models.registry import ModelRegistry

    config = job.config
    facts: Mapping[str, Any] = {
        **known,
        "compression": {
            "method": config.method,
            "options": config.options(),
            "from": str(base.ref),
            "root": root_of(base),
            "summary": made.summary,
            **made.facts,
        },
    }
    target = settings.workspace.models / base.name / fingerprint(facts, time.time_ns())
    with whole_folder(target) as folder:
        _save(job.loaded, made, folder)
        write_json(folder / "training.json", facts)
    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    return registry.register(base.name, target, task=base.task, run_id=base.run_id, facts=facts)


def _save(loaded: LoadedModel, made: Compressed, folder: Path) -> None:
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    loaded.model.save_pretrained(folder, safe_serialization=True)
    loaded.tokenizer.save_pretrained(folder)
    for name, write in made.exports.items():
        write(folder / name)
