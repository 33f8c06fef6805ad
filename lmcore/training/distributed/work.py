"""One process of a run that several train together: ``python -m lmcore.training.distributed.work RUN_FOLDER``."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lmcore
from lmcore.access import Actor, Role
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, LmError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.garbage import collect_seldom
from lmcore.settings import Settings, Workspace
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.rundir import FolderReport, Plan, RunFolder, orphaned
from lmcore.training.distributed.workers import LostWorker, Workers, join_workers
from lmcore.training.fit import train
from lmcore.types import Report, check_name

_LOG = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Do this process's part of a run and say in its folder how it ended.

    Args:
        arguments: the run's folder; which of the processes this is, the environment says as ``torchrun`` would.

    Returns:
        0, or 1 where it failed or was stopped.
    """
    collect_seldom()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for whoever started the run, who then says so in the folder
    folder = RunFolder(Path(arguments[0]))
    return 0 if work(folder, FolderReport(folder, orphaned())) else 1


def work(folder: RunFolder, report: Report) -> bool:
    """Train with the other processes of a run; returns whether it came to its end, and writes down why not.

    Where this process fails, the others find that it has gone, and end too.
    """
    rank = int(os.environ.get("RANK") or 0)
    try:
        plan = folder.plan()
        settings = _settings(plan)
        with join_workers(plan.device) as workers:
            _take_part(plan, settings, folder, report, workers)
    except Cancelled as error:
        folder.fail(rank, "cancelled", str(error))
    except LostWorker as error:
        folder.fail(rank, "lost", str(error))
    except LmError as error:
        folder.fail(rank, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for this process must hear of it
        _LOG.exception("A worker failed.")
        folder.fail(
            rank, "failed", f"A worker stopped with an unexpected {type(error).__name__}: the log holds the details."
        )
    else:
        return True
    return False


def _settings(plan: Plan) -> Settings:
    """Return this process's settings, checked before it meets the others: whoever left them then would seem to be lost."""
    actor = Actor(plan.actor, "job", Role.OPERATE)  # what they may do was checked when they started it
    workspace = Workspace(Path(plan.workspace), actor)
    settings = replace(Settings.from_environment(), workspace=workspace, device=plan.device)
    _check_alike(plan, settings)
    return settings


def _take_part(plan: Plan, settings: Settings, folder: RunFolder, report: Report, workers: Workers) -> None:
    result = train(
        TrainConfig.from_dict(plan.train),
        DatasetStore(settings.workspace).load(plan.data),
        settings=settings,
        report=report,
        scratch=settings.workspace.checkpoints / check_name(plan.checkpoints, "checkpoint folder"),
        resume=plan.resume,
        workers=workers,
    )
    if workers.leads:
        folder.finish(result.to_dict())


def _check_alike(plan: Plan, settings: Settings) -> None:
    if plan.version != lmcore.__version__:
        raise OptionError(
            f"The run was started by LMScope {plan.version}, and this worker has {lmcore.__version__}: install the same "
            "version on every machine."
        )
    if plan.tracking != fingerprint(settings.tracking_uri):
        raise OptionError(
            "MLFLOW_TRACKING_URI is another one on this worker than where the run was started: set the same on every machine."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
