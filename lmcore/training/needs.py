"""How much memory a run takes, from its model and its rows as the model sees them; a start that does not fit is refused."""

from dataclasses import replace
from typing import Any

import numpy as np

from lmcore.errors import ResourceError
from lmcore.memory import read_memory
from lmcore.models.encode import Encodings
from lmcore.models.load import pick_device, reading_config
from lmcore.settings import MIB
from lmcore.training.config import TrainConfig
from lmcore.training.trained import TrainJob

BASE_BYTES = 700 * MIB
_LOGIT_COPIES = 4


def weight_bytes(model: Any) -> int:
    """Return what a model's weights take."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def head_bytes(model: Any, rows: int) -> float:
    """Return what the method ``head`` takes: the weights, and the vectors of every layer for the rows of train and dev."""
    inner = reading_config(model.base_model.config)
    return weight_bytes(model) + (layers_of(model) + 1) * rows * int(inner.hidden_size) * 4.0 * 2


def learning_bytes(config: TrainConfig, model: Any, encodings: Encodings, limit: int) -> float:
    """Return what training by gradient takes: weights with gradients and moments, and what a batch leaves in each layer.

    Args:
        config: the batch size, and what the method keeps beside the weights.
        model: what is trained.
        encodings: training rows, or a sample of them.
        limit: the most tokens of a window.
    """
    holds = config.anchor if config.method == "continual" else "none"
    kept = 1.2 if config.method == "lora" else 4.0  # of frozen weights there is neither a gradient nor a moment
    kept += {"none": 0, "lwf": 1, "ewc": 2}[holds]  # the earlier model, or its weights with their importance
    longest = int(np.minimum(encodings.lengths.max() * 1.5, limit))
    return weight_bytes(model) * kept + config.batch_size * longest * _place_bytes(model)


def policy_bytes(config: TrainConfig, model: Any, mean: float) -> float:
    """Return what a run with rewards takes: texts are learnt from beside the model that it was.

    Args:
        config: the batch size and how long the texts are.
        model: what is trained.
        mean: the mean number of tokens of a prompt.
    """
    kept = 1.2 if config.adapters else 4.0 + bool(config.kl_weight)
    length = int(np.minimum(mean + config.new_tokens, config.max_length))
    return weight_bytes(model) * kept + config.batch_size * length * _place_bytes(model)


def layers_of(model: Any) -> int:
    """Return how many layers a token goes through."""
    layers = int(reading_config(model.base_model.config).num_hidden_layers)
    return layers * (2 if model.config.is_encoder_decoder else 1)


def available_bytes(device: str) -> int:
    """Return the bytes that are free on a device."""
    import torch

    where = pick_device(device)
    return read_memory().available if where == "cpu" else int(torch.cuda.mem_get_info(where)[0])


def refuse_above(wanted: float, available: int) -> None:
    """Refuse what does not fit into the memory that is free.

    Raises:
        ResourceError: with the figures.
    """
    if wanted > available:
        raise ResourceError(
            f"This takes about {wanted / MIB:,.0f} MiB of memory and {available / MIB:,.0f} MiB are free: take a "
            "smaller model, batch or maximum length, or wait until other work has ended."
        )


def check_room(job: TrainJob, model: Any, nbytes: float) -> None:
    """Refuse to begin where a run's model is loaded and what it takes beyond that would not fit.

    Of several processes that train together each has loaded the model when they meet here, and those of a machine share what is
    free there; where one has no room none begins.

    Args:
        job: the run.
        model: its model, as it is loaded.
        nbytes: what the run takes, the weights included.

    Raises:
        ResourceError: with the figures.
        LostWorker: another process of the run has ended.
    """
    device, workers = pick_device(job.settings.device), job.workers
    held = weight_bytes(model) if model.device.type == device.partition(":")[0] else 0
    wanted = (nbytes - held) * (workers.here if device == "cpu" else 1)
    workers.wait()
    available = available_bytes(device)
    if workers.agree(wanted > available):
        refuse_above(wanted, available)
        raise ResourceError("The machine of another worker has no room for this: its log has the figures.")


def check_learning_room(job: TrainJob, model: Any, encodings: Encodings, limit: int) -> None:
    """Refuse to begin training by gradient that would not fit; on a GPU, where not even a single text would.

    A GPU that runs out of memory goes on with smaller batches, which a machine whose memory runs out does not live to do.

    Raises:
        ResourceError: with the figures.
    """
    on_cpu = pick_device(job.settings.device) == "cpu"
    config = job.config if on_cpu else replace(job.config, batch_size=1)
    check_room(job, model, learning_bytes(config, model, encodings, limit))


def _place_bytes(model: Any) -> int:
    """Return what one token leaves behind in a training step: in each layer, and as outputs over the vocabulary."""
    head = model.get_output_embeddings()
    outputs = 0 if head is None else int(head.weight.shape[0]) * 4 * _LOGIT_COPIES
    width = int(reading_config(model.base_model.config).hidden_size)
    return width * layers_of(model) * 4 * 20 + outputs
