"""Training as a job: what the worker process runs."""

import os
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcore.data.store import DatasetStore
from lmcore.errors import JobError, OptionError
from lmcore.models.catalogue import resolve_model
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.rundir import RunFolder, make_plan
from lmcore.training.fit import train
from lmcore.training.methods import check_workers
from lmcore.types import ModelRef, Report, check_name

TARGET = "lmcore.training.job:run"


def job_config(
    config: TrainConfig,
    data: str,
    *,
    settings: Settings | None = None,
    workers: int = 1,
    cluster: bool = False,
    checkpoints: str = "",
) -> dict[str, Any]:
    """Return what `run` is to be given to train on a stored data set.

    Args:
        config: what to train and how; a version that it names by an alias is the one that has the alias now, whichever
            has it when the job is run.
        data: a stored data set's text form.
        settings: of the workspace whose versions are meant; from the environment where None.
        workers: how many processes train together.
        cluster: whether they are on the Ray cluster of the settings rather than on this machine.
        checkpoints: name of the folder for checkpoints; one of its own where empty.

    Raises:
        OptionError: the method is not for several workers, or they cannot share a batch evenly.
        InputError: there is no such version.
    """
    check_workers(config, workers)
    values = config.checked().to_dict() | {"model": definite(config.model, settings)}
    together = {"workers": workers, "cluster": cluster} if cluster or workers > 1 else {}
    return {"train": values, "data": data, "checkpoints": checkpoints or f"job-{secrets.token_hex(8)}"} | together


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Train on a stored data set.

    Args:
        config: what `job_config` returned.
        workspace: where everything is stored.
        report: progress, metrics and cancellation.
        resume: go on from the checkpoints of an earlier attempt.

    Returns:
        What `lmcore.training.fit.TrainResult.to_dict` returns.
    """
    settings = replace(Settings.from_environment(), workspace=workspace)
    scratch = workspace.checkpoints / check_name(str(config["checkpoints"]), "checkpoint folder")
    data = DatasetStore(workspace).load(config["data"])
    told = TrainConfig.from_dict(config["train"])
    if "workers" in config:
        return _together(told, config, settings, report, resume)
    return train(told, data, settings=settings, report=report, scratch=scratch, resume=resume).to_dict()


def stop_elsewhere(
    config: Mapping[str, Any], *, workspace: Workspace, job: str, others: Collection[str], force: bool
) -> str:
    """Stop a run that may still go on on the Ray cluster, as where this machine has lost it; there is nothing to say of it.

    Args:
        config: what `job_config` returned.
        workspace: where everything is stored.
        job: makes no difference.
        others: makes no difference.
        force: leave a run alone that cannot be stopped.

    Raises:
        JobError: it cannot be stopped, and may still run.
    """
    from lmcore.training.distributed.cluster import stop_there
    from lmcore.training.distributed.ray_jobs import RayAccess, RayJobs

    if not config.get("cluster"):
        return ""
    name = check_name(f"{config['checkpoints']}-run", "checkpoint folder")
    settings = replace(Settings.from_environment(), workspace=workspace)
    try:
        stop_there(RunFolder(workspace.checkpoints / name), lambda: RayJobs(RayAccess.from_environment(settings)))
    except (JobError, OptionError) as error:
        if not force:
            raise JobError(
                f"The run may still go on on the Ray cluster and cannot be stopped, so that its job is not deleted: {error}"
            ) from error
    return ""


def _together(
    told: TrainConfig, config: Mapping[str, Any], settings: Settings, report: Report, resume: bool
) -> dict[str, Any]:
    """Train in several processes, which load the data themselves."""
    from lmcore.training.distributed.cluster import run_there
    from lmcore.training.distributed.launch import run_here
    from lmcore.training.distributed.ray_jobs import RayAccess, RayJobs

    workers, checkpoints, cluster = int(config["workers"]), str(config["checkpoints"]), bool(config["cluster"])
    folder = RunFolder(settings.workspace.checkpoints / f"{checkpoints}-run")
    if cluster:
        settings = replace(settings, device=settings.ray_device)
    plan = make_plan(told, config["data"], settings, checkpoints=checkpoints, resume=resume, workers=workers)
    patience = settings.stalled_seconds
    if cluster:
        jobs = RayJobs(RayAccess.from_environment(settings))
        result = run_there(plan, folder, report, jobs=jobs, stalled_seconds=patience)
    else:
        result = run_here(plan, folder, report, stalled_seconds=patience)
    shutil.rmtree(folder.path, ignore_errors=True)
    return result


def definite(model: str, settings: Settings | None = None) -> str:
    """Return a model's text form that means the same to a worker, later and elsewhere.

    A registered version gets its number, since an alias may move before the job is run, and a path no longer depends on
    the working directory.

    Args:
        model: a model's text form.
        settings: of the workspace whose versions are meant; from the environment where None.

    Raises:
        InputError: there is no such version.
    """
    ref = ModelRef.parse(model)
    if ref.kind == "registry" and not ref.version.isdecimal():
        return str(resolve_model(ref, settings or Settings.from_environment()))
    return from_anywhere(model)


def from_anywhere(model: str) -> str:
    """Return a model's text form with a path that does not depend on the working directory, which a worker changes."""
    ref = ModelRef.parse(model)
    path = Path(os.path.expanduser(ref.name))
    if ref.kind in {"folder", "gguf", "auto"} and path.exists():
        return str(replace(ref, name=str(path.absolute())))
    return model
