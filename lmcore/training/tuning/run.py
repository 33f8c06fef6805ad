"""Searching for the settings, and for models from a configuration the size, that do best on dev."""

import gc
import math
import shutil
import time
from collections.abc import Collection, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.errors import JobError, LmError, OptionError, ResourceError
from lmcore.fingerprint import fingerprint
from lmcore.models.catalogue import resolve_model
from lmcore.settings import Settings, Workspace
from lmcore.storage import disk_errors, write_json
from lmcore.tasks import load_task
from lmcore.training.continual.lineage import pinned
from lmcore.training.fit import train
from lmcore.training.methods import TRAINING, check_method
from lmcore.training.rows import run_rows
from lmcore.training.trained import Trained, TrainJob
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.result import (
    FACTS,
    LOCK,
    STUDY,
    SearchResult,
    best_config,
    load_search,
    search_folder,
    searched_metric,
)
from lmcore.training.tuning.runs import FOREGROUND, made_alone, note_run
from lmcore.training.tuning.trials import ENDED, best_row, make_pruner, next_trial, open_study, trials_frame
from lmcore.types import Part, Report, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study, Trial

    from lmcore.tasks.figures import Metric

FEWEST = 5
"""Where so many trials have failed and none has not, the search is given up."""


def search(
    config: SearchConfig,
    data: TextDataset,
    *,
    settings: Settings | None = None,
    report: Report | None = None,
    fresh: bool = False,
    job: str = FOREGROUND,
) -> SearchResult:
    """Try settings, each by a training on the train split that is judged on dev, until there are so many trials.

    A trial's value is the figure by which its way of training chooses on dev itself: the best epoch's figure, or the loss
    for a head. The test split is read once, by the training of the best configuration at the end. The same search (`search_id`)
    goes on with what there is: ended trials are not run again, an interrupted one goes on from its checkpoint, and with a
    larger number of trials it is extended. Stopped and taken up again it gives the same trials as without a stop.

    Args:
        config: what is tried.
        data: a split data set.
        settings: workspace and device; from the environment where None.
        report: progress, the best value by trial, and cancellation.
        fresh: forget the trials that there are.
        job: id of the job that searches; its deletion takes the trials along, unless another run had a part in them.

    Raises:
        OptionError: a setting is out of range, or the method does not train the task.
        DataError: the data set is not split, or a split cannot be used.
        JobError: another process runs the same search.
        LmError: no trial came to an end.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    settings, report = settings or Settings.from_environment(), report or Silent()
    config = with_number(config.checked(), settings)
    identifier = search_id(config, data)
    folder = search_folder(settings.workspace, identifier)
    with _alone(folder, settings.workspace):
        start = _start(config, data, settings, identifier)
        if fresh:
            (folder / STUDY).unlink(missing_ok=True)
            shutil.rmtree(start.scratch, ignore_errors=True)
        metric = searched_metric(config.base)
        facts = {"config": config.to_dict(), "data": str(data.ref or data.name), "data_fingerprint": data.fingerprint}
        note_run(folder, job, fresh=fresh)
        write_json(folder / FACTS, facts)
        pruner = make_pruner(config.pruner, config.startup)
        with open_study(folder / STUDY, higher=metric.higher, pruner=pruner, new=True) as study:
            _run_trials(study, config, data, start, metric, report)
            if config.register:
                _train_best(study, config, data, start, metric, report)
    shutil.rmtree(start.scratch, ignore_errors=True)
    report.progress(1.0, "Done")
    return load_search(settings.workspace, identifier)


def delete_search(workspace: Workspace, identifier: str, job: str, others: Collection[str]) -> bool:
    """Delete the trials of a search and their checkpoints where a job made them; versions that it registered stay.

    Args:
        workspace: where everything is stored.
        identifier: the search.
        job: id of the job that is deleted.
        others: ids of the jobs that stay.

    Returns:
        Whether they were deleted: they stay where the job did not make them, or not alone.

    Raises:
        JobError: another process runs it.
        StorageError: the disk refuses.
    """
    folder, scratch = search_folder(workspace, identifier), _scratch(workspace, identifier)
    if not made_alone(workspace, identifier, job, others):
        return False
    with _alone(folder, workspace):
        if not made_alone(workspace, identifier, job, others):  # asked again, now that no other process runs it
            return False
        for path in (scratch, folder):
            with disk_errors(path):
                if path.exists():
                    shutil.rmtree(path)
    return True


def with_number(config: SearchConfig, settings: Settings) -> SearchConfig:
    """Return a search whose registered model is named by its number: an alias may move between two trials.

    Raises:
        InputError: there is no such version.
    """
    return replace(config, base=pinned(config.base, settings))


def search_id(config: SearchConfig, data: TextDataset) -> str:
    """Return the id of a search: of all that changes its trials, their number and the registered name left out."""
    values = config.checked().to_dict()
    base = {name: value for name, value in values.pop("base").items() if name != "name"}
    for name in ("trials", "register"):
        values.pop(name)
    return fingerprint(base, values, data.fingerprint)


def extended(config: SearchConfig, data: TextDataset, more: int, settings: Settings) -> SearchConfig:
    """Return the search with so many more trials than have ended.

    Raises:
        UnknownError: there is no such search yet.
    """
    config = with_number(config, settings)
    found = load_search(settings.workspace, search_id(config, data))
    return replace(config, trials=found.ended + more).checked()


def _start(config: SearchConfig, data: TextDataset, settings: Settings, identifier: str) -> TrainJob:
    """Return the job of which each trial's is a copy; what a later step would refuse is refused now."""
    base, task = config.base, load_task(config.base.task)
    check_method(base.method, base.task, str(resolve_model(base.model, settings)))
    rows = run_rows(base, task, data, settings)
    if config.register:
        task.check(data.part("test").frame, f"The test split of {data.name!r}", rows.labels)
    scratch = settings.workspace.folder(_scratch(settings.workspace, identifier))
    return TrainJob(base, task, rows.train, rows.dev, rows.labels, settings, scratch, True, Silent(), rows.facts)


def _scratch(workspace: Workspace, identifier: str) -> Path:
    return workspace.checkpoints / f"search-{identifier}"


@contextmanager
def _alone(folder: Path, workspace: Workspace) -> "Iterator[None]":
    from filelock import FileLock, Timeout

    lock = FileLock(workspace.folder(folder) / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise JobError(f"The search {folder.name} is running already: follow it, or cancel it first.") from error
    try:
        yield
    finally:
        lock.release()


def _run_trials(
    study: "Study", config: SearchConfig, data: TextDataset, start: TrainJob, metric: "Metric", report: Report
) -> None:
    """Run trials until there are enough, all was tried, or it is clear that none will come to an end."""
    whole = config.trials + config.register
    while True:
        frame = trials_frame(study, config.space, higher=metric.higher)
        ended = int(frame["state"].isin(ENDED).sum())
        if (frame["state"] == "failed").sum() == ended >= min(FEWEST, config.trials):
            raise LmError(f"No trial of the search came to an end; the last one said: {frame['reason'].iloc[-1]}")
        if ended >= config.trials:
            return
        report.check()
        trial = next_trial(
            study,
            config.space,
            asdict(config.base),
            sampler=config.sampler,
            startup=config.startup,
            seed=config.search_seed,
        )
        if trial is None:
            return
        said = f"Trial {ended + 1} of {config.trials}"
        report.progress(ended / whole, said)
        part = _TrialReport(trial, f"dev_{metric.name}", said, report, ended / whole, (ended + 1) / whole)
        _run_trial(study, trial, data, start, metric, part)
        _tell_report(trials_frame(study, config.space, higher=metric.higher), metric, report)


def _run_trial(
    study: "Study", trial: "Trial", data: TextDataset, start: TrainJob, metric: "Metric", report: Part
) -> None:
    """Train as a trial says and tell the study how it did; an interruption leaves it as it is, to go on from there.

    Settings with which a training cannot be, or that need more memory than there is, are told as stopped early, so that the
    sampler keeps away from them, with the reason.
    """
    from optuna import TrialPruned
    from optuna.trial import TrialState

    began, by_epochs = time.monotonic(), _by_epochs(start.config.method)
    # Without epochs there is nothing to stop early: what such a method leaves is named by its content, for all trials.
    folder = start.settings.workspace.folder(start.scratch / (f"trial-{trial.number}" if by_epochs else "shared"))
    report = report if by_epochs else _Quiet(report, 0.0, 1.0)
    value, reason = None, ""
    try:
        job = replace(start, config=replace(start.config, **trial.params).checked(), scratch=folder, report=report)
        value = _dev_value(_with_own_rows(job, data), metric)
    except TrialPruned:
        pass
    except LmError as error:
        if type(error) not in {LmError, OptionError, ResourceError}:
            raise
        reason = str(error)
    finally:
        trial.set_user_attr("seconds", trial.user_attrs.get("seconds", 0.0) + time.monotonic() - began)
        gc.collect()  # a trainer and its model hold each other
    if reason:
        trial.set_user_attr("reason", reason)
    study.tell(trial, value, state=TrialState.PRUNED if value is None else TrialState.COMPLETE)
    if by_epochs:
        shutil.rmtree(folder, ignore_errors=True)


def _with_own_rows(job: TrainJob, data: TextDataset) -> TrainJob:
    """Return a trial with the rows that its own settings ask for: how many earlier ones are replayed can be searched."""
    if TRAINING[job.config.method].facts["starts_from"] != "version":
        return job
    rows = run_rows(job.config, job.task, data, job.settings)
    return replace(job, train=rows.train, dev=rows.dev, labels=rows.labels, facts=rows.facts)


def _dev_value(job: TrainJob, metric: "Metric") -> float:
    trained: Trained = TRAINING[job.config.method].load()(job)
    value = float(trained.dev_metrics[f"dev_{metric.name}"])
    if not math.isfinite(value):
        raise LmError(f"The {metric.title} on dev is {value}: it cannot be compared with others.")
    return value


class _TrialReport(Part):
    """A trial's report: keeps the training's own curves to itself, and stops a training that is not worth going on with."""

    def __init__(self, trial: "Trial", figure: str, said: str, whole: Report, start: float, end: float) -> None:
        super().__init__(whole, start, end)
        self._trial, self._figure, self._said = trial, figure, said

    def progress(self, fraction: float, message: str = "") -> None:
        """Say which trial it is, too."""
        super().progress(fraction, f"{self._said}: {message}" if message else self._said)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Take up the dev figure of an epoch; one that a resumed trial measures again counts once.

        Raises:
            optuna.TrialPruned: the trial is stopped early.
        """
        from optuna import TrialPruned

        if self._figure not in values:
            return
        steps = list(self._trial.user_attrs.get("steps", []))
        if step not in steps:
            steps.append(step)
            self._trial.set_user_attr("steps", steps)
        epoch = steps.index(step) + 1
        if epoch not in self._trial.study.get_trials(deepcopy=False)[self._trial.number].intermediate_values:
            self._trial.report(values[self._figure], epoch)
        if self._trial.should_prune():
            raise TrialPruned


class _Quiet(Part):
    """The report of the last training, which keeps its curves to itself: they are no trial's."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""


def _tell_report(frame: pd.DataFrame, metric: "Metric", report: Report) -> None:
    """Report the value of the trial that has just ended, and the best so far."""
    last, best = frame.iloc[-1], best_row(frame, higher=metric.higher)
    values = {} if last["state"] != "finished" else {f"dev_{metric.name}": float(last["value"])}
    report.metrics(int(last["trial"]), values | ({} if best is None else {"best": float(best["value"])}))


def _train_best(
    study: "Study", config: SearchConfig, data: TextDataset, start: TrainJob, metric: "Metric", report: Report
) -> None:
    """Train the best configuration and register it, unless the version that was registered before is the same."""
    best = best_row(trials_frame(study, config.space, higher=metric.higher), higher=metric.higher)
    if best is None:
        return
    wanted = {"trial": int(best["trial"]), "name": config.base.name}
    known = study.user_attrs.get("registered", {})
    if {name: known.get(name) for name in wanted} == wanted:
        return
    done = config.trials / (config.trials + 1)
    report.progress(done, f"Training the best, trial {wanted['trial']}, to be registered")
    result = train(
        best_config(config.base, config.space, best),
        data,
        settings=start.settings,
        report=_Quiet(report, done, 1.0),
        scratch=start.scratch / f"best-{wanted['trial']}",
        resume=True,
    )
    kept = {"version": str(result.version.ref), "evaluation": result.evaluation.id}
    study.set_user_attr("registered", wanted | kept)


def _by_epochs(method: str) -> bool:
    return any(item.name == "epochs" for item in TRAINING[method].options)
