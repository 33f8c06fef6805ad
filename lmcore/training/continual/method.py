"""The method `continual`: a registered version goes on with new data and keeps what it knew."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lmcore.models.label_rows import row_places, spread_rows
from lmcore.models.load import LoadedModel, load_model
from lmcore.training.continual.consolidation import consolidation, diagonal_fisher, usual_strength
from lmcore.training.continual.distillation import distillation
from lmcore.training.continual.lineage import earlier_data
from lmcore.training.continual.replay import check_earlier, earlier_rows, sample_rows
from lmcore.training.trained import Trained, TrainJob
from lmcore.training.trainer import Penalty
from lmcore.training.weights import Learner, load_start, train_weights

if TYPE_CHECKING:
    import torch

FISHER_ROWS = 200
LWF_STRENGTH = 1.0
_FISHER = 3


def fit_continual(job: TrainJob) -> Trained:
    """Train every weight of a version on new rows and what was replayed, held by the anchor to what it knew.

    The rows of the job hold the replayed ones already, and its labels the version's own before those that are new.
    Everything is drawn from the seed: a run that is resumed measures the same importance of weights again.

    Raises:
        DataError: the anchor needs earlier data that are not stored any more.
        As `lmcore.training.weights.load_start` and `lmcore.training.weights.train_weights`.
    """
    return train_weights(job, lambda: Learner(load_start(job)), penalty=lambda: _anchor(job))


def _anchor(job: TrainJob) -> Penalty | None:
    config = job.config
    if config.anchor == "none":
        return None
    before = load_model(config.model, task=job.task.name, device="cpu", settings=job.settings)
    if config.anchor == "lwf":
        strength = LWF_STRENGTH if config.anchor_strength is None else config.anchor_strength
        temperature = config.anchor_temperature
        return distillation(
            job.task, before.model, before.labels, job.labels, strength=strength, temperature=temperature
        )
    weights = {name: weight.detach() for name, weight in before.model.named_parameters()}
    fisher = _importance(job, before)
    strength = _usual_strength(job, fisher) if config.anchor_strength is None else config.anchor_strength
    places = row_places(job.task, before.model, before.labels, job.labels)
    return consolidation(spread_rows(weights, places), spread_rows(fisher, places), strength=strength)


def _usual_strength(job: TrainJob, fisher: "Mapping[str, torch.Tensor]") -> float:
    config = job.config
    steps = math.ceil(math.ceil(len(job.train) / config.batch_size) / config.accumulation) * config.epochs
    return usual_strength(fisher, learning_rate=config.learning_rate, steps=steps)


def _importance(job: TrainJob, before: LoadedModel) -> "dict[str, torch.Tensor]":
    """Return how much the earlier data hang on each of a version's weights, from a sample of their train rows."""
    import torch

    from lmcore.models.load import pick_device

    job.report.progress(0.01, "Measuring which weights the earlier data hang on")
    earlier = earlier_data(job.config.model, job.settings)
    check_earlier(job.config, earlier)
    rows = earlier_rows(job.task, earlier, "train")
    frame = rows.iloc[sample_rows(rows["stratum"], FISHER_ROWS, [job.config.seed, _FISHER])].reset_index(drop=True)
    device = pick_device(job.settings.device)
    model = before.model.to(device).eval().requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.config.seed)
        found = diagonal_fisher(model, _single_rows(job, before, frame, device))
    model.cpu()
    return {name: value.cpu() for name, value in found.items()}


def _single_rows(job: TrainJob, before: LoadedModel, frame: Any, device: str) -> "Iterator[dict[str, torch.Tensor]]":
    task = job.task.adapted(before.model.config)
    limit = min(job.config.max_length, before.max_length)
    encodings = task.encode(before.tokenizer, frame.assign(id=range(len(frame))), limit, before.labels)
    for number in range(len(encodings)):
        job.report.check()
        batch = task.collate(before.tokenizer, encodings, [number])
        yield {name: values.to(device) for name, values in batch.items()}
