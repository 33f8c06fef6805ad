"""The whole probability distribution at given places of a language model's output, summed up."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.models.encode import Encodings
from lmcore.models.likelihood import output_batch_size
from lmcore.models.load import LoadedModel
from lmcore.models.predict import BATCH_SIZE, forward_batches
from lmcore.types import Report

_PLACES = 64


@dataclass(frozen=True, eq=False)
class TokenDistributions:
    """What a model said about tokens, in the order of their windows and places.

    Attributes:
        surprisal: negative log probability of the token in bits, float64 of shape (tokens,).
        entropy: of the distribution it was drawn from, in bits, float64 of shape (tokens,); 0 to log2 of the vocabulary.
        rank: 1 for the most probable token, int64 of shape (tokens,).
        best: ids of the most probable tokens, int64 of shape (tokens, count).
        best_probability: their probabilities, float64 of the same shape.
    """

    surprisal: np.ndarray
    entropy: np.ndarray
    rank: np.ndarray
    best: np.ndarray
    best_probability: np.ndarray


def token_distributions(
    loaded: LoadedModel,
    encodings: Encodings,
    count: int,
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> TokenDistributions:
    """Run a model with a language head over windows and sum up its distributions at given places.

    Args:
        loaded: a causal or masked language model, or an encoder-decoder whose windows have ``decoder_input_ids``.
        encodings: windows whose notes say, as ``places`` and ``targets``, which tokens stand where in the output.
        count: how many of the most probable tokens are kept of each place.
        batch_size: windows in one pass; fewer where a large vocabulary would make the output large.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    places, targets = encodings.notes["places"], encodings.notes["targets"]
    found: list[tuple[np.ndarray, ...]] = [()] * len(encodings)
    batch_size = output_batch_size(loaded, encodings, batch_size)
    for windows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
        for row, window in enumerate(windows):
            found[window] = _sum_up(out.logits[row], places[window], targets[window], count)
    return TokenDistributions(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _sum_up(logits: Any, places: list[int], targets: list[int], count: int) -> tuple[np.ndarray, ...]:
    """Sum up the places of one window, some at a time: in double precision a vocabulary takes room."""
    parts = [
        _part(logits[places[start : start + _PLACES]], targets[start : start + _PLACES], count)
        for start in range(0, max(len(places), 1), _PLACES)
    ]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _part(chosen: Any, targets: list[int], count: int) -> tuple[np.ndarray, ...]:
    import torch

    logs = chosen.double().log_softmax(dim=-1) / np.log(2)
    wanted = torch.tensor(targets, dtype=torch.int64, device=chosen.device)[:, None]
    own = logs.gather(1, wanted)
    shares = logs.exp2()
    entropy = -(shares * logs.clamp(min=-1e9)).sum(dim=1)  # a logit of minus infinity adds nothing
    rank = 1 + (logs > own).sum(dim=1)
    best, ids = shares.topk(min(count, shares.shape[1]), dim=1)
    return tuple(values.cpu().numpy() for values in (-own[:, 0], entropy, rank, ids, best))
