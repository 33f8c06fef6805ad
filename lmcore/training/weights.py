"""Training by gradient: what the methods that change a model's weights share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmcore.errors import Cancelled, ResourceError
from lmcore.models.shape import Shape
from lmcore.models.start import StartModel, start_model
from lmcore.storage import disk_errors
from lmcore.training.checkpoints import forget_begun, newest_whole
from lmcore.training.needs import check_learning_room
from lmcore.training.trained import Trained, TrainJob
from lmcore.training.trainer import Penalty, Rows, build_trainer, is_on_cpu
from lmcore.training.watch import Watch


@dataclass(frozen=True, eq=False)
class Learner:
    """A model at the beginning of a run.

    Attributes:
        start: the model, with its tokenizer.
        wrapped: ``start.model`` inside of what trains a part of it alone; None where it is trained itself.
    """

    start: StartModel
    wrapped: Any = None

    @property
    def model(self) -> Any:
        """What is trained: of its weights, those that take a gradient."""
        return self.start.model if self.wrapped is None else self.wrapped


def load_start(job: TrainJob) -> StartModel:
    """Load or build the model that a run begins with, on the CPU; the same seed gives the same one.

    Raises:
        OptionError: the device is absent or is another than the first of CUDA, or the size is none that the model can have.
        InputError: the model cannot be loaded.
    """
    from transformers import set_seed

    config = job.config
    is_on_cpu(job.settings.device)
    set_seed(config.seed)
    job.report.progress(0.0, "Loading the model")
    return start_model(
        config.model,
        job.task,
        job.train.frame,
        job.labels,
        seed=config.seed,
        settings=job.settings,
        tokenizer_folder=job.scratch / "tokenizer",
        shape=Shape(config.layers, config.width, config.heads, config.vocabulary),
    )


def train_weights(
    job: TrainJob, build: Callable[[], Learner], *, penalty: Callable[[], Penalty | None] = lambda: None
) -> Trained:
    """Train a model's weights and keep the epoch that does best on dev by the task's own measure.

    A checkpoint is written every ``save_steps`` steps and when the run is cancelled. A resumed run takes up the
    newest whole one and gives the same weights as one that was never interrupted. Where a GPU runs out of memory, the run
    goes on from its last checkpoint with batches of half the size, two for each step.

    Args:
        job: data, configuration and where to report.
        build: makes the model, the same each time that it is called.
        penalty: makes what is added to the loss of each training batch, once it is known that the run fits into memory.

    Raises:
        OptionError: a setting means nothing for the task.
        LmError: the loss is not a number any more.
        ResourceError: it would not fit into the memory that is free, or memory ran out with a single text.
        StorageError: the disk is full or refuses a checkpoint.
        Cancelled: the report asked to stop.
        LostWorker: another process of the run has ended.
    """
    workers = job.workers
    learner = _built(job, build)
    job = replace(job, task=job.task.adapted(learner.start.model.config))
    rows = _encode(job, learner.start)
    check_learning_room(job, learner.start.model, rows.train, rows.limit)
    held, checkpoint = penalty(), _checkpoint(job, job.resume)
    at_once = job.config.batch_size
    while (watch := _attempt(job, learner, rows, held, checkpoint, at_once)) is None:
        at_once = _smaller(at_once)
        job.report.progress(0.02, f"The GPU's memory ran out: going on with {at_once} texts at once")
        checkpoint = _checkpoint(job, True)
        learner = _again(build)
    if watch.cancelled:
        raise Cancelled("Training was stopped; its last checkpoint is kept, and the run can be resumed.")
    model = learner.model
    best = watch.restore_best(model)
    workers.wait()  # the leader deletes the folder in the end
    return Trained(
        model=model.cpu().eval(),
        tokenizer=learner.start.tokenizer,
        choices={"epoch": best["epoch"]},
        dev_metrics=best["metrics"],
        encodings=rows.train,
        learnt=sum(p.numel() for p in model.parameters() if p.requires_grad),
    )


def _built(job: TrainJob, build: Callable[[], Learner]) -> Learner:
    """Build the model in every process; the leader goes first, since a tokenizer that it learns is kept in the folder."""
    if not job.workers.leads:
        job.workers.wait()
        return build()
    learner = build()
    job.workers.wait()
    return learner


def _checkpoint(job: TrainJob, wanted: bool) -> Path | None:
    """Return the checkpoint that every process goes on from: where one is wanted, the newest that the leader finds whole."""
    if job.workers.leads:
        forget_begun(job.scratch)
    found = newest_whole(job.scratch) if wanted and job.workers.leads else None
    name = job.workers.hear(found.name if found else "")
    return job.scratch / name if name else None


def _encode(job: TrainJob, start: StartModel) -> Rows:
    limit = min(job.config.max_length, start.max_length)
    train, dev = (job.task.encode(start.tokenizer, part.frame, limit, job.labels) for part in (job.train, job.dev))
    return Rows(train, dev, limit)


def _attempt(
    job: TrainJob, learner: Learner, rows: Rows, penalty: Penalty | None, checkpoint: Path | None, at_once: int
) -> Watch | None:
    """Train to the end; returns None where the device's memory was not enough for so many texts at once."""
    import torch

    start = replace(learner.start, max_length=rows.limit)
    trainer, watch = build_trainer(job, start, learner.model, rows, penalty=penalty, at_once=at_once)
    try:
        with disk_errors(job.scratch), job.workers.losses():
            if checkpoint is None or not job.workers.agree(watch.is_done(checkpoint)):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        if job.workers.size > 1:
            raise ResourceError(
                f"A worker's device ran out of memory with {at_once // job.workers.size} texts: take a smaller batch, a "
                "smaller model, a shorter longest text or more workers."
            ) from error
        if at_once > 1:
            return None
        raise ResourceError(
            "The device ran out of memory with a single text: take a smaller model or a shorter longest text."
        ) from error
    return watch


def _smaller(batch_size: int) -> int:
    """Return the largest divisor of a batch that is at most half of it, so that batches still add up to it."""
    return next(size for size in range(batch_size // 2, 0, -1) if batch_size % size == 0)


def _again(build: Callable[[], Learner]) -> Learner:
    import gc

    import torch

    gc.collect()  # the trainer and its model hold each other
    torch.cuda.empty_cache()
    return build()
