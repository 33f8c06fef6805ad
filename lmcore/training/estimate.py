"""How long a training run will take and how much memory, before it starts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.data.dataset import TextDataset
from lmcore.errors import ResourceError
from lmcore.memory import read_memory
from lmcore.models.catalogue import resolve_model
from lmcore.models.encode import IGNORED, UNKNOWN_LIMIT, Encodings
from lmcore.models.load import pick_device, reading_config
from lmcore.models.shape import Shape
from lmcore.models.start import StartModel, start_model
from lmcore.settings import MIB, Settings
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.training.config import TrainConfig
from lmcore.training.methods import check_method
from lmcore.training.rows import run_rows

SAMPLE_ROWS = 256
_BASE_BYTES = 700 * MIB
_BACKWARD = 3.0
_LINEAR_SECONDS = 1.5e-7
_WRITING = 6.0
_LOGIT_COPIES = 4


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
        wanted = self.nbytes * copies
        if wanted > self.available:
            raise ResourceError(
                f"This takes about {wanted / MIB:,.0f} MiB of memory and {self.available / MIB:,.0f} MiB are free: take a "
                "smaller model, batch or maximum length, or wait until other work has ended."
            )

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
    inner = reading_config(model.base_model.config)
    layers, width = inner.num_hidden_layers * (2 if model.config.is_encoder_decoder else 1), inner.hidden_size
    mean = float(encodings.lengths.sum()) / len(sample)  # a long row may take several windows
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if config.method == "head":
        tried = layers + 1 if config.layer is None else 1
        seconds = per_token * mean * sum(rows) + tried * 3 * rows[0] * width * _LINEAR_SECONDS * 10
        nbytes = weights + (layers + 1) * (rows[0] + rows[1]) * width * 4 * 2
    elif config.method == "grpo":
        seconds, nbytes = _rewarded(config, model, per_token, mean, rows, weights)
    else:
        holds = config.anchor if config.method == "continual" else "none"
        passes = _BACKWARD + (1 if holds == "lwf" else 0)  # the earlier model answers every batch too
        seconds = per_token * mean * (passes * rows[0] * config.epochs + rows[1] * config.epochs + rows[2])
        longest = int(np.minimum(encodings.lengths.max() * 1.5, limit))
        kept = 1.2 if config.method == "lora" else 4.0  # of frozen weights there is neither a gradient nor a moment
        kept += {"none": 0, "lwf": 1, "ewc": 2}[holds]  # the earlier model, or its weights with their importance
        nbytes = weights * kept + config.batch_size * longest * (width * layers * 4 * 20 + _logit_bytes(model))
        seconds += per_token * rows[2] * _output_tokens(encodings) * _WRITING
    return Estimate(
        seconds=seconds + 10,
        nbytes=int(nbytes) + _BASE_BYTES,
        available=_available(settings.device),
        truncated_share=encodings.truncated_share,
        unknown_share=encodings.unknown_share,
    )


def _available(device: str) -> int:
    """Return the bytes that are free on a device."""
    import torch

    where = pick_device(device)
    return read_memory().available if where == "cpu" else int(torch.cuda.mem_get_info(where)[0])


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


def _rewarded(
    config: TrainConfig, model: Any, per_token: float, mean: float, rows: Sequence[int], weights: int
) -> tuple[float, float]:
    """Return seconds and bytes of a run with rewards: texts are written, then learnt from beside the model that it was."""
    from lmcore.training.reinforcement.policy import steps_of

    inner = reading_config(model.base_model.config)
    texts = steps_of(config, rows[0])[1] * config.batch_size * config.accumulation
    judged = config.epochs * min(rows[1], 64) + 2 * min(rows[2], 200)
    references = 1 if config.kl_weight else 0
    seconds = per_token * texts * (mean + config.new_tokens) * (_BACKWARD + references)
    seconds += per_token * (texts + judged) * config.new_tokens * _WRITING
    kept = 1.2 if config.adapters else 4.0 + references
    length = int(np.minimum(mean + config.new_tokens, config.max_length))
    per_place = inner.hidden_size * inner.num_hidden_layers * 4 * 20 + _logit_bytes(model)
    return seconds, weights * kept + config.batch_size * length * per_place


def _load(config: TrainConfig, data: TextDataset, task: Task, labels: Sequence[str], settings: Settings) -> StartModel:
    from lmcore.models.load import load_model

    if config.method == "head":
        loaded = load_model(config.model, task="", settings=settings)
        return StartModel(loaded.model, loaded.tokenizer, loaded.max_length)
    some = data.part("train").frame.head(2000)
    shape = Shape(config.layers, config.width, config.heads, config.vocabulary)
    return start_model(config.model, task, some, labels, seed=config.seed, settings=settings, shape=shape)


def _logit_bytes(model: Any) -> int:
    """Return what the outputs for one token take in a training step, where there is one for each word of the vocabulary."""
    head = model.get_output_embeddings()
    return 0 if head is None else int(head.weight.shape[0]) * 4 * _LOGIT_COPIES


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
