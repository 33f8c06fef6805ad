"""How long a training run will take and how much memory, before it starts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.data.dataset import TextDataset
from lmcore.models.catalogue import resolve_model
from lmcore.models.encode import IGNORED, UNKNOWN_LIMIT, Encodings
from lmcore.models.load import reading_config
from lmcore.models.shape import Shape
from lmcore.models.start import StartModel, start_model
from lmcore.settings import Settings
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.training.config import TrainConfig
from lmcore.training.methods import check_method
from lmcore.training.needs import (
    BASE_BYTES,
    available_bytes,
    head_bytes,
    layers_of,
    learning_bytes,
    policy_bytes,
    refuse_above,
)
from lmcore.training.rows import run_rows

SAMPLE_ROWS = 256
_BACKWARD = 3.0
_LINEAR_SECONDS = 1.5e-7
_WRITING = 6.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need.

    Attributes:
        seconds: about how long, from timed forward passes on this machine; within a factor of two or so.
        nbytes: about how much memory at its peak.
        available: memory that is free now where it is computed, in bytes.
        truncated_share: share of the sampled texts that will be cut.
        unknown_share: share of the sampled tokens that the tokenizer does not know.
    """

    seconds: float
    nbytes: int
    available: int
    truncated_share: float
    unknown_share: float

    @property
    def fits(self) -> bool:
        """Whether the memory that is free now is enough."""
        return self.nbytes <= self.available

    def check(self, copies: int = 1) -> None:
        """Refuse a start that does not fit into the memory that is free now.

        Args:
            copies: how many processes take as much each.

        Raises:
            ResourceError: with the figures.
        """
        refuse_above(self.nbytes * copies, self.available)

    @property
    def knows_language(self) -> bool:
        """Whether at most 5 % of the tokens are unknown."""
        return self.unknown_share <= UNKNOWN_LIMIT


def estimate_training(config: TrainConfig, data: TextDataset, settings: Settings) -> Estimate:
    """Time one batch of the model on a sample of the rows and scale it up.

    Raises:
        InputError: the model cannot be loaded.
        DataError: the data set is not split, or its rows cannot be trained on.
    """
    config = config.checked()
    check_method(config.method, config.task, str(resolve_model(config.model, settings)))
    task = load_task(config.task)
    found = run_rows(config, task, data, settings)
    rows, labels = (len(found.train), len(found.dev), len(data.part("test"))), found.labels
    sample = found.train.frame.iloc[:: max(1, rows[0] // SAMPLE_ROWS)].head(SAMPLE_ROWS)
    start = _load(config, data, task, labels, settings)
    model, limit = start.model, min(config.max_length, start.max_length)
    _check_rewarded(config, start, rows[0], settings)
    task = task.adapted(model.config)
    encodings = task.encode(start.tokenizer, sample, limit, None if config.method == "head" else labels)
    per_token = _seconds_per_token(model, start.tokenizer, task, encodings, config.batch_size)
    mean = float(encodings.lengths.sum()) / len(sample)  # a long row may take several windows
    if config.method == "head":
        seconds = _head_seconds(config, model, per_token * mean, rows)
        nbytes = head_bytes(model, rows[0] + rows[1])
    elif config.method == "grpo":
        seconds = _rewarded_seconds(config, per_token, mean, rows)
        nbytes = policy_bytes(config, model, mean)
    else:
        seconds = _learning_seconds(config, per_token * mean, rows)
        seconds += per_token * rows[2] * _output_tokens(encodings) * _WRITING
        nbytes = learning_bytes(config, model, encodings, limit)
    return Estimate(
        seconds=seconds + 10,
        nbytes=int(nbytes) + BASE_BYTES,
        available=available_bytes(settings.device),
        truncated_share=encodings.truncated_share,
        unknown_share=encodings.unknown_share,
    )


def _head_seconds(config: TrainConfig, model: Any, per_row: float, rows: Sequence[int]) -> float:
    """Return what encoding all rows once takes, and fitting every layer with every penalty."""
    width = reading_config(model.base_model.config).hidden_size
    tried = layers_of(model) + 1 if config.layer is None else 1
    return float(per_row * sum(rows) + tried * 3 * rows[0] * width * _LINEAR_SECONDS * 10)


def _learning_seconds(config: TrainConfig, per_row: float, rows: Sequence[int]) -> float:
    """Return what all epochs take, dev after each and test in the end."""
    taught = config.method == "continual" and config.anchor == "lwf"
    passes = _BACKWARD + (1 if taught else 0)  # the earlier model answers every batch too
    return per_row * (passes * rows[0] * config.epochs + rows[1] * config.epochs + rows[2])


def _check_rewarded(config: TrainConfig, start: StartModel, rows: int, settings: Settings) -> None:
    """Refuse early what a run with rewards would refuse.

    Raises:
        OptionError: settings that do not go together, a reward that lacks something, or a model that is no decoder.
        InputError: there is no such classifier.
    """
    if config.method == "grpo":
        from lmcore.training.reinforcement.grpo import check_decoder, check_policy
        from lmcore.training.reinforcement.rewarding import load_reward

        check_policy(config, rows)
        check_decoder(config, start)
        load_reward(config, settings)


def _rewarded_seconds(config: TrainConfig, per_token: float, mean: float, rows: Sequence[int]) -> float:
    """Return what a run with rewards takes: texts are written, then learnt from beside the model that it was."""
    from lmcore.training.reinforcement.policy import steps_of

    texts = steps_of(config, rows[0])[1] * config.batch_size * config.accumulation
    judged = config.epochs * min(rows[1], 64) + 2 * min(rows[2], 200)
    references = 1 if config.kl_weight else 0
    seconds = per_token * texts * (mean + config.new_tokens) * (_BACKWARD + references)
    return seconds + per_token * (texts + judged) * config.new_tokens * _WRITING


def _load(config: TrainConfig, data: TextDataset, task: Task, labels: Sequence[str], settings: Settings) -> StartModel:
    from lmcore.models.load import load_model

    if config.method == "head":
        loaded = load_model(config.model, task="", settings=settings)
        return StartModel(loaded.model, loaded.tokenizer, loaded.max_length)
    some = data.part("train").frame.head(2000)
    shape = Shape(config.layers, config.width, config.heads, config.vocabulary)
    return start_model(config.model, task, some, labels, seed=config.seed, settings=settings, shape=shape)


def _output_tokens(encodings: Encodings) -> float:
    """Return how many tokens a model writes for a row: as many as it is to learn, and none where it learns a class."""
    if encodings.cut_outputs is None:
        return 0.0
    return float(np.mean([sum(token != IGNORED for token in row) for row in encodings.fields["labels"]]))


def _seconds_per_token(model: Any, tokenizer: Any, task: Task, encodings: Encodings, batch_size: int) -> float:
    """Return the median over three timed forward passes of one middling batch."""
    import torch

    middling = np.argsort(encodings.lengths, kind="stable")[len(encodings) // 3 :][:batch_size]
    device = next(model.parameters()).device
    batch = {name: values.to(device) for name, values in task.collate(tokenizer, encodings, middling.tolist()).items()}
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            model(**batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)  # the call returns before the work is done
            times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) / float(batch["attention_mask"].sum())
