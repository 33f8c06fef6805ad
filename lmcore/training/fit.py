"""One training run from a data set to a registered, evaluated version."""

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.data.dataset import TextDataset
from lmcore.data.text import mostly_chinese
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.catalogue import resolve_model
from lmcore.models.encode import UNKNOWN_LIMIT
from lmcore.models.load import token_limit
from lmcore.settings import Settings
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.training.baseline import score_baselines
from lmcore.training.config import TrainConfig
from lmcore.training.continual.forgetting import Forgetting, measure_forgetting
from lmcore.training.continual.kept_forgetting import load_forgetting, save_forgetting
from lmcore.training.continual.lineage import earlier_data, pinned
from lmcore.training.distributed.workers import ALONE, Workers
from lmcore.training.evaluation import Evaluation, evaluate, load_evaluation, save_evaluation
from lmcore.training.methods import TRAINING, check_method, check_workers
from lmcore.training.rows import run_rows
from lmcore.training.tracking import TrackedRun, track_run
from lmcore.training.trained import Trained, TrainJob
from lmcore.types import Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a training run left behind.

    Attributes:
        version: the registered version.
        metrics: figures on the test split, and ``dev_…`` of what was chosen.
        evaluation: the whole evaluation on the test split, kept in the workspace.
        choices: what was chosen on dev.
        warnings: plain sentences about what a user should know.
        seconds: how long it took.
        forgetting: what a run that went on from a version lost on the earlier data and won on the new; None for others,
            and where no earlier data are stored.
    """

    version: "ModelVersion"
    metrics: Mapping[str, float]
    evaluation: Evaluation
    choices: Mapping[str, Any]
    warnings: tuple[str, ...]
    seconds: float
    forgetting: Forgetting | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values.

        They are ``version``, ``evaluation`` (its id), ``metrics``, ``choices``, ``warnings`` and ``seconds``; of a run that
        went on from a version also ``forgetting`` (the report's id) and ``forgotten`` (its verdict).
        """
        forgotten = self.forgetting
        return {
            "version": str(self.version.ref),
            "evaluation": self.evaluation.id,
            "metrics": dict(self.metrics),
            "choices": dict(self.choices),
            "warnings": list(self.warnings),
            "seconds": self.seconds,
            **({"forgetting": forgotten.id, "forgotten": forgotten.verdict} if forgotten else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], settings: Settings) -> "TrainResult":
        """Read what `to_dict` wrote, and from the workspace the version and its evaluation.

        Raises:
            UnknownError: one of them is not there any more.
        """
        from lmcore.models.registry import ModelRegistry

        registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
        forgotten = values.get("forgetting")
        return cls(
            version=registry.get(values["version"]),
            metrics=values["metrics"],
            evaluation=load_evaluation(settings.workspace, values["evaluation"]),
            choices=values["choices"],
            warnings=tuple(values["warnings"]),
            seconds=values["seconds"],
            forgetting=load_forgetting(settings.workspace, forgotten) if forgotten else None,
        )


def train(
    config: TrainConfig,
    data: TextDataset,
    *,
    settings: Settings | None = None,
    report: Report | None = None,
    scratch: Path | None = None,
    resume: bool = False,
    workers: Workers = ALONE,
) -> TrainResult:
    """Train on the train split, choose on dev, measure on test and register the result.

    Args:
        config: what to train and how.
        data: a split data set.
        settings: workspace and device; from the environment where None.
        report: progress, live metrics and cancellation.
        scratch: where checkpoints go, a folder of this run alone: it is emptied first unless resumed, and removed at
            the end; one named after configuration and data where None.
        resume: go on from what ``scratch`` holds.
        workers: the processes that call this together, as `lmcore.training.distributed.workers.join_workers` gives them; all
            return the same result.

    Raises:
        OptionError: a setting is out of range, or is not for several workers.
        DataError: the data set is not split, a split cannot be trained on, or dev or test has a class that train lacks.
        InputError: the model cannot be had.
        ResourceError: it would not fit into the memory that is free; the message has the figures.
        StorageError: the disk is full; nothing half-written is registered.
        Cancelled: the report asked to stop; checkpoints stay.
        LostWorker: another process of the run has ended.
    """
    started = time.time()
    settings = settings or Settings.from_environment()
    config = pinned(config.checked(), settings)
    job = _prepare(config, data, settings, report or Silent(), scratch, resume, workers)
    if not workers.leads:
        TRAINING[config.method].load()(replace(job, report=_Unheard(job.report)))
        return TrainResult.from_dict(json.loads(workers.hear()), settings)
    result = _lead(job, data, started)
    shutil.rmtree(job.scratch, ignore_errors=True)
    workers.hear(json.dumps(result.to_dict()))
    return result


def _lead(job: TrainJob, data: TextDataset, started: float) -> TrainResult:
    """Train, measure and register; where several processes train, the others come along as far as the weights."""
    config, settings = job.config, job.settings
    test = data.part("test")
    job.task.check(test.frame, f"The test split of {data.name!r}", job.labels)
    parameters = {**config.to_dict(), "data": str(data.ref or data.name), "data_fingerprint": data.fingerprint}
    with track_run(
        settings.workspace, name=config.name, parameters=parameters, tracking_uri=settings.tracking_uri
    ) as run:
        reporting = _Tracked(job.report, run)
        trained: Trained = TRAINING[config.method].load()(
            TrainJob(**{**_fields(job), "report": Part(reporting, 0.0, 0.85)})
        )
        trained = _tuned(job, trained)
        version = _registered(job, data, trained, run.run_id)
        reporting.progress(0.88, "Measuring on the test split, beside the baselines")
        baselines = score_baselines(
            job.task,
            job.train,
            job.dev,
            test,
            job.labels,
            seed=config.seed,
            tokenizer=trained.tokenizer,
            max_length=token_limit(trained.model, trained.tokenizer, job.settings.max_tokens),
        )
        tables = {} if baselines.empty else {"baselines": baselines}
        if trained.beside is not None:
            tables |= trained.beside(test, Part(reporting, 0.88, 0.92))
        evaluation = evaluate(
            version.ref,
            data,
            settings=settings,
            seed=config.seed,
            tables=tables,
            report=Part(reporting, 0.92 if trained.beside else 0.88, 0.95),
        )
        save_evaluation(settings.workspace, evaluation)
        forgotten = _forgotten(job, data, version, Part(reporting, 0.95, 1.0))
        reporting.progress(1.0, f"Registered as {version.ref}")
        run.log(0, {f"test_{name}": value for name, value in evaluation.metrics.items()})
    return TrainResult(
        version=version,
        metrics={**evaluation.metrics, **trained.dev_metrics},
        evaluation=evaluation,
        choices=trained.choices,
        warnings=(*_warnings(trained, evaluation), *_gone(job)),
        seconds=time.time() - started,
        forgetting=forgotten,
    )


def _forgotten(job: TrainJob, data: TextDataset, version: "ModelVersion", report: Report) -> Forgetting | None:
    """Measure and keep what a run that went on from a version forgot; None for others, and without earlier data."""
    if not job.facts.get("earlier_data"):
        return None
    report.progress(0.0, "Measuring what was forgotten")
    old = earlier_data(job.config.model, job.settings).data
    found = measure_forgetting(
        job.config.model, version.ref, old, data, settings=job.settings, seed=job.config.seed, report=report
    )
    save_forgetting(job.settings.workspace, found)
    return found


def _gone(job: TrainJob) -> list[str]:
    gone = job.facts.get("earlier_data_gone")
    if not gone:
        return []
    return [f"{', '.join(gone)} is not stored any more: what was forgotten of it is not known."]


def _prepare(
    config: TrainConfig,
    data: TextDataset,
    settings: Settings,
    report: Report,
    scratch: Path | None,
    resume: bool,
    workers: Workers,
) -> TrainJob:
    check_workers(config, workers.size)
    task = load_task(config.task)
    check_method(config.method, config.task, str(resolve_model(config.model, settings)))
    rows = run_rows(config, task, data, settings)
    if scratch is None:
        scratch = settings.workspace.checkpoints / fingerprint(config.to_dict(), data.fingerprint)
    if workers.leads:
        if not resume:
            shutil.rmtree(scratch, ignore_errors=True)
        settings.workspace.folder(scratch)
    workers.check_shared(scratch)
    return TrainJob(
        config, task, rows.train, rows.dev, rows.labels, settings, scratch, resume, report, rows.facts, workers
    )


def _fields(job: TrainJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in TrainJob.__dataclass_fields__}


class _Unheard:
    """A `Report` that only asks whether to go on: what there is to say, the leader says."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def progress(self, fraction: float, message: str = "") -> None:
        """Say nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Say nothing."""

    def check(self) -> None:
        """Pass the question on."""
        self._report.check()


class _Tracked:
    """A `Report` that also writes every metric to the tracked run."""

    def __init__(self, report: Report, run: TrackedRun) -> None:
        self._report, self._run = report, run

    def progress(self, fraction: float, message: str = "") -> None:
        """Pass it on."""
        self._report.progress(fraction, message)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Pass them on and track them."""
        self._report.metrics(step, values)
        self._run.log(step, values)

    def check(self) -> None:
        """Pass the question on."""
        self._report.check()


def _tuned(job: TrainJob, trained: Trained) -> Trained:
    """Choose on dev what reading the outputs needs, and keep it in the model's configuration."""
    from lmcore.models.start import StartModel, as_loaded

    limit = token_limit(trained.model, trained.tokenizer, min(job.config.max_length, job.settings.max_tokens))
    start = StartModel(trained.model, trained.tokenizer, limit)
    loaded = as_loaded(job.config.model, job.task, trained.model, start, job.labels)
    found = job.task.tune(loaded, job.dev.frame)
    for name, value in found.items():
        setattr(trained.model.config, name, value)
    return replace(trained, choices={**trained.choices, **found})


def _registered(job: TrainJob, data: TextDataset, trained: Trained, run_id: str) -> "ModelVersion":
    """Register the model; where an attempt was lost while it was measured, the version that it registered is taken up."""
    from lmcore.models.registry import ModelRegistry

    note = job.scratch / "registered.json"
    if job.resume and note.is_file():
        registry = ModelRegistry(job.settings.workspace, tracking_uri=job.settings.tracking_uri)
        with suppress(InputError, OSError, ValueError, KeyError):
            known = registry.get(json.loads(note.read_text(encoding="utf-8"))["version"])
            if known.name == job.config.name and known.available:
                return known
    version = _register(job, data, trained, run_id)
    write_json(note, {"version": str(version.ref)})
    return version


def _register(job: TrainJob, data: TextDataset, trained: Trained, run_id: str) -> "ModelVersion":
    from transformers.utils.logging import disable_progress_bar

    from lmcore.models.registry import ModelRegistry

    config, settings = job.config, job.settings
    disable_progress_bar()
    facts = {
        "method": config.method,
        "base": _numbered(config.model, settings),
        "data": str(data.ref or data.name),
        "data_fingerprint": data.fingerprint,
        "labels": list(job.labels),
        "chinese": mostly_chinese(job.task.texts(job.train.frame)),
        "choices": dict(trained.choices),
        "learnt_parameters": trained.learnt,
        "unknown_share": trained.encodings.unknown_share,
        "truncated_share": trained.encodings.truncated_share,
        "cut_output_share": trained.encodings.cut_output_share,
        "config": config.to_dict(),
        **job.facts,
    }
    target = settings.workspace.models / config.name / fingerprint(facts, time.time_ns())
    with whole_folder(target) as folder:
        trained.model.save_pretrained(folder, safe_serialization=True)
        trained.tokenizer.model_max_length = min(trained.tokenizer.model_max_length, config.max_length)
        trained.tokenizer.save_pretrained(folder)
        write_json(folder / "training.json", facts)
    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    return registry.register(
        config.name, target, task=config.task, run_id=run_id, metrics=trained.dev_metrics, facts=facts
    )


def _numbered(model: str, settings: Settings) -> str:
    """Return a version by its number, since an alias may name another one later; other models stay as they are."""
    from lmcore.models.catalogue import resolve_model

    return str(resolve_model(model, settings)) if model.startswith("models:/") else model


def _warnings(trained: Trained, evaluation: Evaluation) -> tuple[str, ...]:
    found = []
    if trained.encodings.unknown_share > UNKNOWN_LIMIT:
        found.append(
            f"The model does not know {trained.encodings.unknown_share:.0%} of the tokens: choose one that was made "
            "for this language, or train one from a configuration."
        )
    if trained.encodings.truncated_share > 0:
        found.append(f"{trained.encodings.truncated_share:.1%} of the training texts were cut at the longest length.")
    if trained.encodings.cut_output_share > 0:
        found.append(
            f"{trained.encodings.cut_output_share:.1%} of the texts to be learnt were cut at the longest length."
        )
    unfinished = float(evaluation.parameters.get("cut_output_share", 0.0))
    if unfinished > 0:
        found.append(f"{unfinished:.1%} of the texts that the model wrote reached the longest length without an end.")
    rival = evaluation.rival
    if rival is not None and rival.beats:
        found.append(
            f"The baseline {rival.name} is as good or better: {rival.metric.title} {rival.metric.show(rival.value)} against "
            f"{rival.metric.show(rival.model)}."
        )
    return tuple(found)
