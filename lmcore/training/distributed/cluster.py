"""Training on a Ray cluster: Ray Train runs the processes, Ray Jobs what starts them.

``python -m lmcore.training.distributed.cluster RUN_FOLDER`` is what Ray Jobs runs, on a machine of the cluster.
"""

import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lmcore.errors import InputError, JobError
from lmcore.garbage import collect_seldom
from lmcore.storage import write_json
from lmcore.training.distributed.following import STALLED_SECONDS, HangingWorkers, follow_run
from lmcore.training.distributed.ray_jobs import ENDED, RayJobs, SilentCluster
from lmcore.training.distributed.rundir import FolderReport, Plan, RunFolder
from lmcore.training.distributed.work import work
from lmcore.types import Report

ASK_SECONDS = 2.0
STOP_SECONDS = 45.0
END_SECONDS = 15.0
PATIENCE_SECONDS = 600.0
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_V2_ENABLED": "1", "TOKENIZERS_PARALLELISM": "false"}
_SUBMITTED = "ray.json"


def run_there(
    plan: Plan,
    folder: RunFolder,
    report: Report,
    *,
    jobs: RayJobs,
    stalled_seconds: float = STALLED_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Run a plan on a Ray cluster and follow it; one that still runs there, after this process was lost, is taken up.

    Args:
        plan: what its workers are to do.
        folder: where they and this process speak to each other, on storage that both see under the same path.
        report: progress, metrics and cancellation.
        jobs: the cluster.
        stalled_seconds: how long the workers, once they have begun, may say nothing before they are taken to hang, and ended.
        clock: seconds that only grow.
        pause: waits for some seconds.

    Returns:
        What `lmcore.training.fit.TrainResult.to_dict` returns.

    Raises:
        Cancelled: the report asked to stop; the last checkpoint is kept.
        JobError: the cluster refuses or loses the run, or the run failed or hangs; the message says why.
    """
    job_id = _running(folder, jobs) if plan.resume else None
    if job_id is None:
        report.progress(0.0, "Submitting to the Ray cluster")
        job_id = _submit(plan, folder, jobs)
    followed = _Followed(folder, jobs, job_id, report, clock)
    try:
        return follow_run(
            folder,
            report,
            followed.running,
            followed.stop_late,
            stalled_seconds=stalled_seconds,
            begun=lambda: folder.progress() is not None,
            clock=clock,
            pause=pause,
        )
    except JobError as error:
        if isinstance(error, HangingWorkers):
            with suppress(JobError):
                jobs.stop(job_id)
        followed.say_log()
        raise


def stop_there(
    folder: RunFolder,
    connect: Callable[[], RayJobs],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """End what a cluster still runs of a plan, and wait until it has ended; where nothing was submitted it is not asked.

    Args:
        folder: the run's folder.
        connect: gives the cluster.
        clock: seconds that only grow.
        pause: waits for some seconds.

    Raises:
        OptionError: no cluster is set up any more.
        JobError: it does not answer, refuses, or the run has not ended after a while.
    """
    job_id = _submitted(folder)
    if job_id is None:
        return
    jobs, until = connect(), clock() + END_SECONDS
    status = jobs.status(job_id)
    if status is not None and status not in ENDED:
        jobs.stop(job_id)
    while status is not None and status not in ENDED:
        if clock() >= until:
            raise JobError(
                f"It was asked to end the run, which has not ended after {END_SECONDS:.0f} seconds: try again."
            )
        pause(ASK_SECONDS / 4)
        status = jobs.status(job_id)


def _submitted(folder: RunFolder) -> str | None:
    """Return what the cluster knows a run by; None where it was not submitted, or has come to its end."""
    try:
        return str(json.loads((folder.path / _SUBMITTED).read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _running(folder: RunFolder, jobs: RayJobs) -> str | None:
    job_id = _submitted(folder)
    if job_id is None:
        return None
    status = jobs.status(job_id)
    return None if status is None or status in ENDED or folder.is_stopped() else job_id


def _submit(plan: Plan, folder: RunFolder, jobs: RayJobs) -> str:
    job_id = f"lmscope-{secrets.token_hex(8)}"
    folder.begin(plan)
    write_json(folder.path / _SUBMITTED, {"id": job_id})
    jobs.submit(job_id, f"python -P -m lmcore.training.distributed.cluster {shlex.quote(str(folder.path))}", QUIET)
    return job_id


class _Followed:
    """A job of a Ray cluster that is asked after now and then."""

    def __init__(
        self, folder: RunFolder, jobs: RayJobs, job_id: str, report: Report, clock: Callable[[], float]
    ) -> None:
        self._folder, self._jobs, self._id, self._report, self._clock = folder, jobs, job_id, report, clock
        self._asked = self._heard = clock()
        self._deadline: float | None = None

    def running(self) -> bool:
        """Whether the cluster says that it is not over; what it says is believed for two seconds.

        Raises:
            JobError: the cluster has lost it, or has not answered for ten minutes.
        """
        now = self._clock()
        if now - self._asked < ASK_SECONDS:
            return True
        self._asked = now
        try:
            status = self._jobs.status(self._id)
        except SilentCluster as error:
            if now - self._heard < PATIENCE_SECONDS:
                return True
            raise JobError(
                f"The Ray cluster has not answered for {PATIENCE_SECONDS / 60:.0f} minutes: resume the job to look for the "
                "run again."
            ) from error
        self._heard = now
        if status not in ENDED and not self._folder.progress():
            self._report.progress(0.0, "Waits for the workers of the Ray cluster")
        if status is None:
            raise JobError(
                "The Ray cluster does not know the run any more, as when it was started anew: resume the job to go on from "
                "the last checkpoint."
            )
        if status == "FAILED" and not self._folder.is_seen():
            raise JobError(
                f"The Ray cluster does not see {self._folder.path}, or has no LMScope: the workspace (LMSCOPE_HOME) must lie "
                "on storage that all its machines share with this one under the same path, and lmscope[cluster] must be "
                "installed there; the log says which is missing."
            )
        return status not in ENDED

    def stop_late(self) -> None:
        """Give it time to write a checkpoint before the cluster ends it; none where it has not begun."""
        if self._deadline is None:
            self._deadline = self._clock() + (STOP_SECONDS if self._folder.progress() else 0.0)
        if self._clock() >= self._deadline:
            self._jobs.stop(self._id)

    def say_log(self) -> None:
        """Print the log of the cluster's job, so that it is among this one's."""
        try:
            print(self._jobs.log(self._id), file=sys.stderr)
        except JobError as error:
            print(error, file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Run a plan with Ray Train; the cluster is the one that runs this job.

    Args:
        arguments: the run's folder.

    Returns:
        0, or 1 where the run failed or was stopped.
    """
    collect_seldom()
    os.environ.update(QUIET)
    try:
        import ray

        ray.init()
        return 0 if train_on_ray(RunFolder(Path(arguments[0]))) else 1
    except (InputError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1


def train_on_ray(folder: RunFolder) -> bool:
    """Run a plan with Ray Train on the cluster that this process is connected to; returns whether it came to its end.

    Raises:
        InputError: this machine does not see the run's folder.
    """
    from ray.train import RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    plan = folder.plan()
    folder.see()
    with_gpu = plan.device != "cpu"
    trainer = TorchTrainer(
        _work,
        train_loop_config={"run": str(folder.path)},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if with_gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=plan.workers, use_gpu=with_gpu),
        run_config=RunConfig(name="ray", storage_path=str(folder.path)),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        print(error, file=sys.stderr)
        return False
    return folder.result() is not None


def _work(config: Mapping[str, str]) -> None:
    """Do one worker's part, in a process that Ray Train has made one of a group."""
    collect_seldom()
    folder = RunFolder(Path(config["run"]))
    if not work(folder, FolderReport(folder)):
        raise RuntimeError(
            "This worker did not come to the end; the run's folder says why."
        )  # Ray then ends the others


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
