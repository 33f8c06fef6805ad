"""A transformers Trainer for a run: its settings, its order of batches and its loss."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.errors import OptionError
from lmcore.models.encode import Encodings
from lmcore.models.start import StartModel
from lmcore.training.checkpoints import begun_folder
from lmcore.training.distributed.parts import Count, Loss, count_learnt, part_loss
from lmcore.training.sampling import LengthGroupedSampler
from lmcore.training.trained import TrainJob
from lmcore.training.watch import Watch

if TYPE_CHECKING:
    import torch

    from lmcore.training.config import TrainConfig

Penalty = Loss

_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a run as its model sees them.

    Attributes:
        train: what is learnt from.
        dev: what epochs are compared on.
        limit: the most tokens of a window.
    """

    train: Encodings
    dev: Encodings
    limit: int


def is_on_cpu(device: str) -> bool:
    """Say whether training runs on the CPU.

    Raises:
        OptionError: the device is absent, or is another than the first of CUDA.
    """
    from lmcore.models.load import pick_device

    where = pick_device(device)
    if where not in {"cpu", "cuda", "cuda:0"}:
        raise OptionError(
            f"The device is {where!r}, and weights are trained on the first one alone: set CUDA_VISIBLE_DEVICES to "
            f"{where.partition(':')[2]} and LMSCOPE_DEVICE to cuda."
        )
    return where == "cpu"


def build_trainer(
    job: TrainJob, start: StartModel, model: Any, rows: Rows, *, penalty: Penalty | None, at_once: int
) -> tuple[Any, Watch]:
    """Return the Trainer of a run, and what watches it.

    Args:
        job: configuration and where to report.
        start: the model that is trained, for predictions on dev.
        model: the same, as it is wrapped for training.
        rows: what is learnt from.
        penalty: what is added to the loss of each training batch.
        at_once: how many texts all workers together compute at once; a divisor of the batch size.

    Raises:
        OptionError: the device is absent, or a setting means nothing for the task.
    """
    from transformers import PrinterCallback, TrainerCallback

    config, workers = job.config, job.workers
    sampler = LengthGroupedSampler(rows.train.lengths, config.batch_size, seed=config.seed)
    epoch_steps = math.ceil(math.ceil(len(rows.train) / config.batch_size) / config.accumulation)
    watch = type("Watching", (Watch, TrainerCallback), {})(job, start, epoch_steps, at_once)
    trainer = _trainer_class(job, sampler, *_training_loss(job, start, penalty))(
        model=model,
        args=_arguments(job, epoch_steps * config.epochs, at_once),
        train_dataset=_Windows(rows.train),
        eval_dataset=_Windows(rows.dev),
        data_collator=_collator(job, start, rows.train, sampler),
        callbacks=[watch],
    )
    trainer.model_accepts_loss_kwargs = False  # a batch's loss is its mean, which a step divides by its batches
    if workers.size > 1:
        trainer.accelerator.prepare_data_loader = _whole_batches
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which belongs to the caller
    return trainer, watch


def _trainer_class(job: TrainJob, sampler: LengthGroupedSampler, training_loss: Loss, count: Count) -> Any:
    """Return a Trainer that takes batches in the sampler's order, writes checkpoints whole, and learns by a loss of ours."""
    from transformers import Trainer

    workers = job.workers

    class Grouped(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return sampler

        def _get_output_dir(self, trial: Any) -> str:
            return str(begun_folder(job.scratch))

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **rest: Any) -> Any:
            if model.training:
                loss, outputs = part_loss(workers, training_loss, count, model, inputs)
            else:
                outputs = model(**inputs)
                loss = outputs.loss
            return (loss, outputs) if return_outputs else loss

        def evaluate(self, *given: Any, **named: Any) -> Any:
            if workers.size > 1:
                self.gather_function = _as_it_is  # the leader measures alone
            found = super().evaluate(*given, **named) if workers.leads else {}
            self.control.should_training_stop = workers.agree(self.control.should_training_stop)
            return found

    return Grouped


def _collator(
    job: TrainJob, start: StartModel, train: Encodings, sampler: LengthGroupedSampler
) -> "Callable[[list[tuple[Encodings, int]]], dict[str, torch.Tensor]]":
    """Return what makes a batch of windows; what it draws is the same after a resume, and on dev in every epoch."""

    def collate(items: list[tuple[Encodings, int]]) -> "dict[str, torch.Tensor]":
        encodings, numbers = items[0][0], [number for _, number in items]
        with _drawing(job.config.seed, sampler.epoch if encodings is train else -1, numbers[0]):
            return job.task.collate(start.tokenizer, encodings, numbers)

    return collate


def common_arguments(job: TrainJob, steps: int) -> dict[str, Any]:
    """Return the settings that every Trainer of a run by gradient has, by transformers' names.

    Args:
        job: the run.
        steps: how many it has in all.

    Raises:
        OptionError: the device is absent, or is another than the first of CUDA.
    """
    config, on_cpu = job.config, is_on_cpu(job.settings.device)
    return {
        "output_dir": str(job.scratch),
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.clip,
        "warmup_steps": round(config.warmup * steps),
        "lr_scheduler_type": _SCHEDULES[config.schedule],
        "bf16": _in_bfloat16(config, on_cpu),
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "logging_steps": max(1, steps // 200),
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
        "seed": config.seed,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": False,
    }


def _arguments(job: TrainJob, steps: int, at_once: int) -> Any:
    from transformers import TrainingArguments

    config = job.config
    arguments = TrainingArguments(
        per_device_train_batch_size=at_once,
        per_device_eval_batch_size=2 * at_once,
        gradient_accumulation_steps=config.accumulation * (config.batch_size // at_once),
        eval_strategy="epoch",
        prediction_loss_only=True,
        remove_unused_columns=False,
        **common_arguments(job, steps),
    )
    # On every device at once a step would take that many times the batch, and no step count here would be right.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _in_bfloat16(config: "TrainConfig", on_cpu: bool) -> bool:
    import torch

    if config.precision != "auto":
        return config.precision == "bfloat16"
    return not on_cpu and torch.cuda.is_bf16_supported()


def _training_loss(job: TrainJob, start: StartModel, penalty: Penalty | None) -> tuple[Loss, Count]:
    """Return what a training batch is to make small, and how a batch's loss counts beside others'.

    It is the model's own loss, or one with weighted classes, and a penalty.
    """
    if job.config.class_weights:
        weighted, count = _weighted_classes(job)
    else:
        weighted, count = None, count_learnt(start)

    def loss(model: Any, batch: "Mapping[str, torch.Tensor]", outputs: Any) -> "torch.Tensor":
        main: torch.Tensor = weighted(model, batch, outputs) if weighted else outputs.loss
        return main if penalty is None else main + penalty(model, batch, outputs)

    return loss, count


def _weighted_classes(job: TrainJob) -> tuple[Loss, Count]:
    """Return the cross-entropy in which all classes weigh the same: a row of class c counts rows / (classes · rows of c).

    Raises:
        OptionError: the task does not give each row one class.
    """
    import numpy as np
    import torch

    from lmcore.tasks.classes import ClassTask

    if not isinstance(job.task, ClassTask):
        raise OptionError(f"Classes cannot be weighted in {job.task.name}: leave class_weights off.")
    counts = np.bincount(job.task.gold(job.train.frame, job.labels), minlength=len(job.labels))
    weights = torch.from_numpy(counts.sum() / (len(counts) * counts)).float()

    def loss(model: Any, batch: "Mapping[str, torch.Tensor]", outputs: Any) -> "torch.Tensor":
        logits = outputs.logits.float()
        return torch.nn.functional.cross_entropy(logits, batch["labels"], weights.to(logits.device))

    def count(batch: "Mapping[str, torch.Tensor]") -> float:
        return float(weights[batch["labels"].cpu()].sum())

    return loss, count


def _whole_batches(loader: Any, *given: Any, **named: Any) -> Any:
    """Prepare a loader as in a single process: every worker takes its part of the whole batch by itself."""
    from accelerate.data_loader import prepare_data_loader

    return prepare_data_loader(loader, num_processes=1, process_index=0)


def _as_it_is(values: Any) -> Any:
    return values


class _Windows:
    """Encoded windows as a torch map-style data set: an item names its encodings and its number."""

    def __init__(self, encodings: Encodings) -> None:
        self._encodings = encodings

    def __len__(self) -> int:
        return len(self._encodings)

    def __getitem__(self, number: int) -> tuple[Encodings, int]:
        return self._encodings, number


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
