"""The method `full`: every weight, with transformers' Trainer."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import Cancelled, InputError, LmError, OptionError, ResourceError
from lmcore.models.encode import Encodings, pad_batch
from lmcore.storage import disk_errors, sync_tree, whole_folder, write_json
from lmcore.training.checkpoints import newest_whole, seal
from lmcore.training.sampling import LengthGroupedSampler
from lmcore.training.trained import Trained, TrainJob

if TYPE_CHECKING:
    import torch

    from lmcore.models.load import LoadedModel


def fit_full(job: TrainJob) -> Trained:
    """Train all weights and keep the epoch with the best accuracy on dev.

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

    job.report.progress(0.0, "Loading the model")
    on_cpu = _is_on_cpu(job.settings.device)
    model, tokenizer, limit = _start_model(job)
    train = job.task.encode(tokenizer, job.train.frame, limit)
    dev = job.task.encode(tokenizer, job.dev.frame, limit)
    gold = {"train": job.task.gold(job.train.frame, job.labels), "dev": job.task.gold(job.dev.frame, job.labels)}
    rows = _Rows(train, gold["train"]), _Rows(dev, gold["dev"])
    trainer, watch = _trainer(job, model, tokenizer, *rows, on_cpu=on_cpu)
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
    best = watch.restore_best(model)
    return Trained(
        model=model.cpu().eval(),
        tokenizer=tokenizer,
        choices={"epoch": best["epoch"]},
        dev_metrics={"dev_accuracy": best["accuracy"]},
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


def _start_model(job: TrainJob) -> tuple[Any, Any, int]:
    """Return the model to be trained, its tokenizer and the token limit; the dev and test rows are not looked at."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    from lmcore.methods import load_target
    from lmcore.models.catalogue import MODELS, resolve_model
    from lmcore.models.configured import train_tokenizer
    from lmcore.models.load import load_model, model_folder, refuse_pickles

    set_seed(job.config.seed)
    ref = resolve_model(job.config.model, job.settings)
    if ref.kind == "config":
        kept = job.scratch / "tokenizer"
        if kept.is_dir():
            tokenizer = AutoTokenizer.from_pretrained(kept, local_files_only=True)
        else:
            tokenizer = train_tokenizer(job.train.frame["text"].tolist())
            with whole_folder(kept) as folder:
                tokenizer.save_pretrained(folder)
        model = load_target(MODELS[ref.name].target)(tokenizer, job.labels, seed=job.config.seed)
        return model, tokenizer, min(job.config.max_length, tokenizer.model_max_length)
    folder, own_task = model_folder(ref, job.settings)
    if folder.is_file():
        raise InputError(f"{ref} holds quantised weights, which cannot all be trained: choose the method head.")
    refuse_pickles(folder)
    base = load_model(ref, task=own_task, device="cpu", settings=job.settings)
    if own_task and base.labels == job.labels:
        for parameter in base.model.parameters():
            parameter.requires_grad_(True)
        return base.model.float(), base.tokenizer, min(job.config.max_length, base.max_length)
    if _is_mean_pooled(folder):
        model = _mean_pooled(job, base)
        return model, base.tokenizer, min(job.config.max_length, base.max_length)
    names = {"id2label": dict(enumerate(job.labels)), "label2id": {n: i for i, n in enumerate(job.labels)}}
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, ignore_mismatched_sizes=True, dtype=torch.float32, **names
    )
    _set_padding(model, base.tokenizer)
    return model, base.tokenizer, min(job.config.max_length, base.max_length)


def _is_mean_pooled(folder: Path) -> bool:
    """Say whether a model was trained to be read by its mean token vector, as sentence encoders note beside it."""
    try:
        noted = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(isinstance(noted, dict) and noted.get("pooling_mode_mean_tokens"))


def _mean_pooled(job: TrainJob, base: "LoadedModel") -> Any:
    """Return the encoder with a new linear classifier on the mean token vector of its last layer."""
    from lmcore.models.pooled import build_classifier

    encoder = base.model.float()
    width = encoder.config.hidden_size
    weight = np.random.default_rng(job.config.seed).normal(0.0, 0.02, (len(job.labels), width))
    sample = pad_batch(base.tokenizer, job.task.encode(base.tokenizer, job.train.frame.head(4), base.max_length).ids)
    model = build_classifier(encoder, base.layers, weight, np.zeros(len(job.labels)), job.labels, sample)
    return model.requires_grad_(True)


def _set_padding(model: Any, tokenizer: Any) -> None:
    """Give a decoder that has none a padding token: its head finds a text's last token by it."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id


class _Rows:
    """Encoded rows with their class, as a torch map-style data set."""

    def __init__(self, encodings: Encodings, gold: np.ndarray) -> None:
        self.encodings, self.gold = encodings, gold

    def __len__(self) -> int:
        return len(self.gold)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"ids": self.encodings.ids[row], "label": int(self.gold[row])}


def _trainer(
    job: TrainJob, model: Any, tokenizer: Any, train: _Rows, dev: _Rows, *, on_cpu: bool
) -> "tuple[Any, _Watch]":
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    config = job.config
    steps = math.ceil(len(train) / config.batch_size) * config.epochs

    class Grouped(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return LengthGroupedSampler(train.encodings.lengths, config.batch_size, seed=config.seed)

    def collate(rows: list[dict[str, Any]]) -> "dict[str, torch.Tensor]":
        batch = pad_batch(tokenizer, [row["ids"] for row in rows])
        return {**batch, "labels": torch.tensor([row["label"] for row in rows])}

    watch = type("Watch", (_Watch, TrainerCallback), {})(job, steps)
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
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=dev,
        data_collator=collate,
        compute_metrics=lambda out: {"accuracy": float((out.predictions.argmax(axis=1) == out.label_ids).mean())},
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which belongs to the caller
    return trainer, watch


class _Watch:
    """Passes on what the Trainer says, keeps the best epoch's weights, seals checkpoints, and stops when asked."""

    def __init__(self, job: TrainJob, steps: int) -> None:
        self._job, self._steps = job, steps
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
        values = {"dev_loss": metrics["eval_loss"], "dev_accuracy": metrics["eval_accuracy"]}
        self._job.report.metrics(state.global_step, values)
        earlier = self._read_best()
        if earlier is None or values["dev_accuracy"] > earlier["accuracy"]:
            self._keep(rest["model"], {"epoch": round(state.epoch), "accuracy": values["dev_accuracy"]})

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Seal the checkpoint that was just written."""
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def restore_best(self, model: Any) -> dict[str, Any]:
        """Load the best epoch's weights into the model and return its epoch and accuracy."""
        from safetensors.torch import load_file

        best = self._read_best() or {"epoch": 0, "accuracy": 0.0}
        if best["epoch"]:
            model.load_state_dict(load_file(self._best_folder / f"{best['epoch']}.safetensors"))
        return best

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
