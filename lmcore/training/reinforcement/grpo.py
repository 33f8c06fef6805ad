"""The method `grpo`: a decoder learns from the rewards of what it writes (group relative policy optimisation)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.data.dataset import TextDataset
from lmcore.errors import Cancelled, LmError, OptionError, ResourceError
from lmcore.models.start import StartModel, as_loaded
from lmcore.storage import disk_errors, whole_folder
from lmcore.tasks.prompting import Prompts, prompts_of
from lmcore.training.checkpoints import forget_begun, newest_whole
from lmcore.training.needs import check_room, policy_bytes
from lmcore.training.reinforcement.policy import build_policy_trainer, prompts_at_once, steps_of
from lmcore.training.reinforcement.rewarding import (
    WeightedReward,
    compare_policies,
    judged_rows,
    load_reward,
    write_sampled,
)
from lmcore.training.trained import Trained, TrainJob
from lmcore.training.weights import load_start
from lmcore.types import Report

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.load import LoadedModel
    from lmcore.training.config import TrainConfig

DEV_ROWS = 64


def fit_policy(job: TrainJob) -> Trained:
    """Let a decoder write groups of texts and make those likelier that get more reward than their group's mean.

    TRL's `GRPOTrainer` with one update for each batch of texts; a text's advantage is its reward less the mean of its group,
    divided by the group's spread. At the end of each epoch the model writes from up to 64 rows of dev, and the epoch with
    the highest mean reward is kept.

    A checkpoint is written every ``save_steps`` steps and when the run is cancelled. A resumed run takes up the newest whole
    one and, on a CPU, gives the same weights as one that was never interrupted; its texts are drawn anew from there on with
    the random state that the checkpoint holds.

    Raises:
        OptionError: a setting is unusable, the model is no decoder, or the rows do not fill a step.
        InputError: the model or the classifier cannot be loaded.
        LmError: the loss or the model's probabilities are not numbers any more.
        ResourceError: it would not fit into the memory that is free, or the device's memory ran out.
        StorageError: the disk is full or refuses a checkpoint.
        Cancelled: the report asked to stop.
    """
    check_policy(job.config, len(job.train))
    reward = load_reward(job.config, job.settings)
    start = load_start(job)
    check_decoder(job.config, start)
    job = replace(job, task=job.task.adapted(start.model.config))
    limit = min(job.config.max_length, start.max_length)
    start = replace(start, max_length=limit)
    prompts = _prompts(job, start, job.train.frame)
    check_room(job, start.model, policy_bytes(job.config, start.model, float(prompts.encodings.lengths.mean())))
    origin = _keep_origin(job, start)
    trainer, watch = build_policy_trainer(job, start, origin, prompts, reward, _dev_reward(job, start, reward))
    forget_begun(job.scratch)
    checkpoint = newest_whole(job.scratch) if job.resume else None
    if checkpoint is None or not watch.is_done(checkpoint):
        with disk_errors(job.scratch), _told(job):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch.cancelled:
        raise Cancelled("Training was stopped; its last checkpoint is kept, and the run can be resumed.")
    best = watch.restore_best(trainer.model)
    learnt = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    model = _plain_model(trainer.model)
    return Trained(
        model=model,
        tokenizer=start.tokenizer,
        choices={"epoch": best["epoch"]},
        dev_metrics=best["metrics"],
        encodings=prompts.encodings,
        learnt=learnt,
        beside=_beside(job, start, origin, model, reward),
    )


def check_policy(config: "TrainConfig", rows: int) -> None:
    """Refuse settings that do not go together.

    Raises:
        OptionError: a step's texts are not whole groups, or the rows do not fill a step.
    """
    texts = config.batch_size * config.accumulation
    if texts % config.group:
        raise OptionError(
            f"A step writes {texts} texts in groups of {config.group}: let batch_size times accumulation be a multiple of "
            "group."
        )
    if not steps_of(config, rows)[0]:
        raise OptionError(
            f"A step takes {prompts_at_once(config)} prompts, and the train split has {rows} rows: lower batch_size or "
            "accumulation, or raise group."
        )


def check_decoder(config: "TrainConfig", start: StartModel) -> None:
    """Refuse a model that does not write on from a prompt.

    Raises:
        OptionError: it is an encoder-decoder, or its texts have no end.
    """
    if start.model.config.is_encoder_decoder:
        raise OptionError(
            f"{config.model} is an encoder-decoder, and rewards train decoders alone: choose a decoder, or another method."
        )
    if start.tokenizer.eos_token_id is None:
        raise OptionError(f"The tokenizer of {config.model} has no token that ends a text: choose another decoder.")


def _keep_origin(job: TrainJob, start: StartModel) -> Path:
    """Save the model as it is at first, once; returns the folder."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    origin = job.scratch / "origin"
    if not origin.is_dir():
        with disk_errors(origin), whole_folder(origin) as folder:
            start.model.save_pretrained(folder, safe_serialization=True)
    return origin


def _prompts(job: TrainJob, start: StartModel, frame: "pd.DataFrame") -> Prompts:
    """Return the prompts of rows.

    Raises:
        OptionError: the longest leaves no room for what is to be written.
    """
    prompts = prompts_of(job.task, start.tokenizer, frame, start.max_length)
    room = start.max_length - int(prompts.encodings.lengths.max())
    if room < job.config.new_tokens:
        raise OptionError(
            f"The longest prompt leaves {room} of {start.max_length} tokens, and {job.config.new_tokens} are to be written: "
            "lower new_tokens, or raise max_length where the model takes more."
        )
    return prompts


def _dev_reward(job: TrainJob, start: StartModel, reward: WeightedReward) -> Callable[[Any], dict[str, float]]:
    """Return what gives a model's mean reward on some rows of dev."""
    prompts = _prompts(job, start, judged_rows(job.dev.frame, DEV_ROWS))

    def measure(model: Any) -> dict[str, float]:
        loaded = _loaded(job, start, _inner(model))
        return {
            "dev_reward": float(reward.score(write_sampled(loaded, prompts, job.config), prompts.references).mean())
        }

    return measure


def _beside(
    job: TrainJob, start: StartModel, origin: Path, model: Any, reward: WeightedReward
) -> Callable[[TextDataset, Report], Mapping[str, "pd.DataFrame"]]:
    """Return what compares the model with the one that it was, on rows that neither was trained on."""

    def compare(test: TextDataset, report: Report) -> Mapping[str, "pd.DataFrame"]:
        import torch
        from transformers import AutoModelForCausalLM

        from lmcore.models.load import pick_device

        device = pick_device(job.settings.device)
        before = AutoModelForCausalLM.from_pretrained(
            origin, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        frame = judged_rows(test.frame)
        pair = [_loaded(job, start, each.to(device).eval()) for each in (before, model)]
        prompts, ids = _prompts(job, start, frame), frame["id"].tolist()
        found = compare_policies(pair[0], pair[1], prompts, ids, reward, job.config, report)
        model.cpu()
        return found

    return compare


def _loaded(job: TrainJob, start: StartModel, model: Any) -> "LoadedModel":
    return as_loaded(job.config.model, job.task, model, start, job.labels)


def _inner(model: Any) -> Any:
    """Return the decoder inside of what trains adapters of it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _plain_model(model: Any) -> Any:
    """Return the decoder as it was before TRL took it: with adapters merged in and its own forward pass."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.__dict__.pop("forward", None)  # the class's own comes back in place of TRL's
    model._forward_pre_hooks.clear()
    model._forward_pre_hooks_with_kwargs.clear()
    return model.cpu().requires_grad_(True).eval()


@contextmanager
def _told(job: TrainJob) -> Iterator[None]:
    """Turn what torch says of memory and of probabilities into a sentence."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"The device ran out of memory with {job.config.batch_size} texts at once: halve batch_size and double "
            "accumulation."
        ) from error
    except RuntimeError as error:
        if "probability tensor" not in str(error):
            raise
        raise LmError(
            f"The model's probabilities are not numbers any more: lower the learning rate ({job.config.learning_rate:g}); the "
            "checkpoints before it are kept."
        ) from error
