"""The method `full`: every weight, with transformers' Trainer."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.errors import Cancelled, LmError, OptionError, ResourceError
from lmcore.models.encode import Encodings
from lmcore.models.start import StartModel, as_loaded, start_model
from lmcore.storage import disk_errors, sync_tree, write_json
from lmcore.training.checkpoints import newest_whole, seal
from lmcore.training.sampling import LengthGroupedSampler
from lmcore.training.trained import Trained, TrainJob

if TYPE_CHECKING:
    import torch


def fit_full(job: TrainJob) -> Trained:
    """Train all weights and keep the epoch that does best on dev by the task's own measure.

    A checkpoint is written every ``save_steps`` steps and when the run is cancelled. A resumed run takes up the
    newest whole one and gives the same weights as one that was never interrupted.

    Raises:
        OptionError: the device is absent, or is another than the first of CUDA.
        InputError: the model cannot be loaded.
        LmError: the loss is not a number any more.
        ResourceError: memory ran out.
        StorageError: the disk is full or refuses a checkpoint.
        Cancelled: the report asked to stop.
    """
    import torch
    from transformers import set_seed

    set_seed(job.config.seed)
    job.report.progress(0.0, "Loading the model")
    on_cpu = _is_on_cpu(job.settings.device)
    start = start_model(
        job.config.model,
        job.task,
        job.train.frame,
        job.labels,
        seed=job.config.seed,
        settings=job.settings,
        tokenizer_folder=job.scratch / "tokenizer",
    )
    job = replace(job, task=job.task.adapted(start.model.config))
    limit = min(job.config.max_length, start.max_length)
    train, dev = (job.task.encode(start.tokenizer, p.frame, limit, job.labels) for p in (job.train, job.dev))
    learner = replace(start, max_length=limit)
    trainer, watch = _trainer(job, learner, train, dev, on_cpu=on_cpu)
    checkpoint = newest_whole(job.scratch) if job.resume else None
    try:
        with disk_errors(job.scratch):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"The device ran out of memory at batch size {job.config.batch_size}: halve the batch size or the length."
        ) from error
    if watch.cancelled:
        raise Cancelled("Training was stopped; its last checkpoint is kept, and the run can be resumed.")
    best = watch.restore_best(start.model)
    return Trained(
        model=start.model.cpu().eval(),
        tokenizer=start.tokenizer,
        choices={"epoch": best["epoch"]},
        dev_metrics=best["metrics"],
        encodings=train,
    )


def _is_on_cpu(device: str) -> bool:
    from lmcore.models.load import pick_device

    where = pick_device(device)
    if where not in {"cpu", "cuda", "cuda:0"}:
        raise OptionError(
            f"The device is {where!r}, and all weights are trained on the first one alone: set CUDA_VISIBLE_DEVICES to "
            f"{where.partition(':')[2]} and LMSCOPE_DEVICE to cuda."
        )
    return where == "cpu"


class _Windows:
    """Encoded windows as a torch map-style data set: an item names its encodings and its number."""

    def __init__(self, encodings: Encodings) -> None:
        self._encodings = encodings

    def __len__(self) -> int:
        return len(self._encodings)

    def __getitem__(self, number: int) -> tuple[Encodings, int]:
        return self._encodings, number


def _trainer(
    job: TrainJob, start: StartModel, train: Encodings, dev: Encodings, *, on_cpu: bool
) -> "tuple[Any, _Watch]":
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    config = job.config
    steps = math.ceil(len(train) / config.batch_size) * config.epochs

    sampler = LengthGroupedSampler(train.lengths, config.batch_size, seed=config.seed)

    class Grouped(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return sampler

    def collate(items: list[tuple[Encodings, int]]) -> "dict[str, torch.Tensor]":
        encodings, numbers = items[0][0], [number for _, number in items]
        with _drawing(config.seed, sampler.epoch if encodings is train else -1, numbers[0]):
            return job.task.collate(start.tokenizer, encodings, numbers)

    watch = type("Watch", (_Watch, TrainerCallback), {})(job, start, steps)
    arguments = TrainingArguments(
        output_dir=str(job.scratch),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=2 * config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=round(config.warmup * steps),
        lr_scheduler_type="linear",
        eval_strategy="epoch",
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=2,
        logging_steps=max(1, steps // 200),
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        seed=config.seed,
        remove_unused_columns=False,
        use_cpu=on_cpu,
        dataloader_pin_memory=False,
    )
    # On every device at once a step would take that many times the batch, and no step count here would be right.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer = Grouped(
        model=start.model,
        args=arguments,
        train_dataset=_Windows(train),
        eval_dataset=_Windows(dev),
        data_collator=collate,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which belongs to the caller
    return trainer, watch


@contextmanager
def _drawing(seed: int, epoch: int, first: int) -> Iterator[None]:
    """Let a batch draw from torch's random state as (seed, epoch, first row) say, and leave the state as it was.

    Batches are made ahead of the steps that use them: drawn from the run's own state, those after a resume would be
    others. Batches of dev have no epoch, and are the same every time.
    """
    import numpy as np
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch + 1, first]).generate_state(1)[0]))
        yield


class _Watch:
    """Passes on what the Trainer says, keeps the best epoch's weights, seals checkpoints, and stops when asked."""

    def __init__(self, job: TrainJob, start: StartModel, steps: int) -> None:
        self._job, self._start, self._steps = job, start, steps
        self._epoch_steps = steps // job.config.epochs
        self._best_folder = job.scratch / "best"
        self._save_after = False
        self.cancelled = False

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Say how far it is; on a request to stop, save a checkpoint and leave the loop."""
        message = (
            f"Step {state.global_step} of {self._steps}, epoch {math.ceil(state.epoch)} of {args.num_train_epochs}"
        )
        self._job.report.progress(0.02 + 0.93 * state.global_step / self._steps, message)
        try:
            self._job.report.check()
        except Cancelled:
            self.cancelled = control.should_save = control.should_training_stop = True
        if self._ends_epoch(state):
            self._save_after, control.should_save = control.should_save, False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Measure whole epochs alone, and save at an epoch's end only once its dev figures are kept.

        A run that is resumed from there does not measure that epoch again.
        """
        if self._ends_epoch(state):
            control.should_save = self._save_after
        else:
            control.should_evaluate = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **rest: Any) -> None:
        """Record the loss and rate.

        Raises:
            LmError: the loss is not a number any more.
        """
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise LmError(
                f"The loss is {loss} at step {state.global_step}: lower the learning rate "
                f"({self._job.config.learning_rate:g}); the checkpoints before it are kept."
            )
        if loss is not None:
            self._job.report.metrics(state.global_step, {"loss": loss, "learning_rate": logs["learning_rate"]})

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, float], **rest: Any) -> None:
        """Record the dev figures and keep the weights of the best epoch."""
        values = {"dev_loss": metrics["eval_loss"], **self._measure(rest["model"])}
        self._job.report.metrics(state.global_step, values)
        earlier = self._read_best()
        if earlier is None or self._is_better(values, earlier["metrics"]):
            self._keep(rest["model"], {"epoch": round(state.epoch), "metrics": values})

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Seal the checkpoint that was just written."""
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def restore_best(self, model: Any) -> dict[str, Any]:
        """Load the best epoch's weights into the model and return its epoch and dev figures."""
        from safetensors.torch import load_file

        best = self._read_best() or {"epoch": 0, "metrics": {}}
        if best["epoch"]:
            model.load_state_dict(load_file(self._best_folder / f"{best['epoch']}.safetensors"))
        return best

    def _measure(self, model: Any) -> dict[str, float]:
        """Return the task's metrics on dev, named ``dev_…``; none where the loss decides."""
        job = self._job
        if job.task.dev_metric == "loss":
            return {}
        model.eval()
        loaded = as_loaded(job.config.model, job.task, model, self._start, job.labels)
        predictions = job.task.examine(loaded, job.dev.frame, batch_size=2 * job.config.batch_size).predictions
        found = job.task.measure(job.dev.frame, predictions, job.labels)
        return {f"dev_{name}": value for name, value in found.items()}

    def _is_better(self, values: Mapping[str, float], earlier: Mapping[str, float]) -> bool:
        name = self._job.task.dev_metric
        higher = name != "loss" and self._job.task.metric(name).higher
        new, old = values[f"dev_{name}"], earlier[f"dev_{name}"]
        return new > old if higher else new < old

    def _ends_epoch(self, state: Any) -> bool:
        return bool(state.global_step % self._epoch_steps == 0)

    def _read_best(self) -> dict[str, Any] | None:
        path = self._best_folder / "best.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _keep(self, model: Any, best: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        with disk_errors(self._best_folder):
            self._best_folder.mkdir(exist_ok=True)
            weights = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
            save_file(weights, self._best_folder / f"{best['epoch']}.safetensors")
            sync_tree(self._best_folder)
        write_json(self._best_folder / "best.json", best)
        for old in self._best_folder.glob("*.safetensors"):
            if old.stem != str(best["epoch"]):
                old.unlink()
