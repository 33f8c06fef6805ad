"""How long a training run will take and how much memory, before it starts."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError
from lmcore.models.encode import UNKNOWN_LIMIT, pad_batch
from lmcore.settings import MIB, Settings
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig

SAMPLE_ROWS = 256
_BASE_BYTES = 700 * MIB
_BACKWARD = 3.0
_LINEAR_SECONDS = 1.5e-7


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need.

    Attributes:
        seconds: about how long, from timed forward passes on this machine; within a factor of two or so.
        nbytes: about how much memory at its peak.
        available: memory that is free now, in bytes.
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

    @property
    def knows_language(self) -> bool:
        """Whether at most 5 % of the tokens are unknown."""
        return self.unknown_share <= UNKNOWN_LIMIT


def estimate_training(config: TrainConfig, data: TextDataset, settings: Settings) -> Estimate:
    """Time one batch of the model on a sample of the rows and scale it up.

    Raises:
        InputError: the model cannot be loaded.
        DataError: the data set is not split, or has no rows to train on.
    """
    import psutil

    config = config.checked()
    rows = len(data.part("train")), len(data.part("dev")), len(data.part("test"))
    if not rows[0]:
        raise DataError(f"The train split of {data.name!r} has no rows: split the data set again.")
    sample = data.part("train").frame.iloc[:: max(1, rows[0] // SAMPLE_ROWS)].head(SAMPLE_ROWS)
    model, tokenizer, limit, layers, width = _load(config, data, settings)
    encodings = load_task(config.task).encode(tokenizer, sample, limit)
    per_token = _seconds_per_token(model, tokenizer, encodings.ids, config.batch_size)
    mean = float(encodings.lengths.mean())
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if config.method == "head":
        tried = layers + 1 if config.layer is None else 1
        seconds = per_token * mean * sum(rows) + tried * 3 * rows[0] * width * _LINEAR_SECONDS * 10
        nbytes = weights + (layers + 1) * (rows[0] + rows[1]) * width * 4 * 2
    else:
        seconds = per_token * mean * (_BACKWARD * rows[0] * config.epochs + rows[1] * config.epochs + rows[2])
        longest = int(np.minimum(encodings.lengths.max() * 1.5, limit))
        nbytes = weights * 4 + config.batch_size * longest * width * layers * 4 * 20
    return Estimate(
        seconds=seconds + 10,
        nbytes=int(nbytes) + _BASE_BYTES,
        available=int(psutil.virtual_memory().available),
        truncated_share=encodings.truncated_share,
        unknown_share=encodings.unknown_share,
    )


def _load(config: TrainConfig, data: TextDataset, settings: Settings) -> tuple[Any, Any, int, int, int]:
    from lmcore.methods import load_target
    from lmcore.models.catalogue import MODELS, resolve_model
    from lmcore.models.configured import train_tokenizer
    from lmcore.models.load import load_model

    ref = resolve_model(config.model, settings)
    if ref.kind == "config":
        tokenizer = train_tokenizer(data.part("train").frame["text"].head(2000).tolist())
        model = load_target(MODELS[ref.name].target)(tokenizer, ("a", "b"), seed=0)
        limit = tokenizer.model_max_length
    else:
        loaded = load_model(ref, task="", settings=settings)
        model, tokenizer, limit = loaded.model, loaded.tokenizer, loaded.max_length
    inner = model.base_model.config
    return model, tokenizer, min(config.max_length, limit), inner.num_hidden_layers, inner.hidden_size


def _seconds_per_token(model: Any, tokenizer: Any, ids: list[list[int]], batch_size: int) -> float:
    """Return the median over three timed forward passes of one middling batch."""
    import torch

    middling = sorted(ids, key=len)[len(ids) // 3 :][:batch_size]
    device = next(model.parameters()).device
    batch = pad_batch(tokenizer, middling, str(device))
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            model(**batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)  # the call returns before the work is done
            times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) / float(batch["attention_mask"].sum())
