"""How probable a model holds tokens, one batch of windows after the other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.models.encode import Encodings
from lmcore.models.load import LoadedModel
from lmcore.models.predict import BATCH_SIZE, forward_batches
from lmcore.types import Report

_OUTPUT_VALUES = 1 << 26


@dataclass(frozen=True, eq=False)
class TokenScores:
    """What a model said about tokens, in the order of their windows and places.

    Attributes:
        rows: the row that a token is of, int64 of shape (tokens,).
        targets: the token's id, int64 of shape (tokens,).
        nll: its negative log probability in nats, float64 of shape (tokens,).
        ranks: how many tokens the model holds more probable, int64 of shape (tokens,).
        best: the id of the token that it holds most probable, int64 of shape (tokens,).
        sureness: the probability of that token, float64 of shape (tokens,).
    """

    rows: np.ndarray
    targets: np.ndarray
    nll: np.ndarray
    ranks: np.ndarray
    best: np.ndarray
    sureness: np.ndarray

    def per_row(self, values: np.ndarray, rows: int) -> np.ndarray:
        """Add up values, one a token, over the tokens of each row; float64 of shape (rows,)."""
        return np.bincount(self.rows, weights=values.astype(np.float64), minlength=rows)


def score_tokens(
    loaded: LoadedModel, encodings: Encodings, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> TokenScores:
    """Run a model with a language head over windows and read the probabilities of given tokens.

    Args:
        loaded: a causal or masked language model.
        encodings: windows whose notes say, as ``places`` and ``targets``, which tokens stand where in the output.
        batch_size: windows in one pass; fewer where a large vocabulary would make the output large.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    places, targets = encodings.notes["places"], encodings.notes["targets"]
    ends = np.cumsum([0, *(len(each) for each in targets)])
    # Small arrays kept from each window would pin the large ones freed between them, and memory would grow to gigabytes.
    nll, sureness = np.zeros(ends[-1]), np.zeros(ends[-1])
    ranks, best = np.zeros(ends[-1], dtype=np.int64), np.zeros(ends[-1], dtype=np.int64)
    batch_size = output_batch_size(loaded, encodings, batch_size)
    for windows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
        for place, window in enumerate(windows):
            own = slice(ends[window], ends[window + 1])
            read = _read(out.logits[place], places[window], targets[window])
            nll[own], ranks[own], best[own], sureness[own] = read
    owners = np.arange(len(encodings)) if encodings.rows is None else encodings.rows
    return TokenScores(
        rows=np.repeat(owners, np.diff(ends)).astype(np.int64),
        targets=np.array([token for each in targets for token in each], dtype=np.int64),
        nll=nll,
        ranks=ranks,
        best=best,
        sureness=sureness,
    )


def likely_tokens(
    loaded: LoadedModel, encodings: Encodings, count: int, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return the most probable tokens at given places.

    Args:
        loaded: a causal or masked language model.
        encodings: windows whose note ``places`` says which places of the output are read.
        count: how many tokens of each place.
        batch_size: windows in one pass.
        report: progress and cancellation.

    Returns:
        For each window, for each place, the ids with the most probable first, and their probabilities.

    Raises:
        Cancelled: the report asked to stop.
    """
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(len(encodings))]
    batch_size = output_batch_size(loaded, encodings, batch_size)
    for windows, out in forward_batches(loaded, encodings, batch_size=batch_size, report=report):
        for place, window in enumerate(windows):
            chosen = out.logits[place][encodings.notes["places"][window]].float().softmax(dim=-1)
            values, ids = chosen.topk(min(count, chosen.shape[-1]), dim=-1)
            found[window] = list(zip(ids.cpu().numpy(), values.double().cpu().numpy(), strict=True))
    return found


def output_batch_size(loaded: LoadedModel, encodings: Encodings, wanted: int) -> int:
    """Return how many windows go in one pass so that its output stays at a quarter of a gigabyte."""
    if not len(encodings):
        return wanted
    each = int(encodings.lengths.max()) * int(loaded.model.config.vocab_size)
    return max(1, min(wanted, _OUTPUT_VALUES // each))


def _read(logits: Any, places: list[int], targets: list[int]) -> tuple[np.ndarray, ...]:
    """Return negative log probabilities, ranks, and the most probable tokens with their probabilities in one window."""
    import torch

    chosen = logits[places].float()
    wanted = torch.tensor(targets, dtype=torch.int64, device=chosen.device)
    nll = torch.nn.functional.cross_entropy(chosen, wanted, reduction="none")
    ranks = (chosen > chosen.gather(1, wanted[:, None])).sum(dim=1)
    sureness, best = chosen.softmax(dim=1).max(dim=1)
    return tuple(values.cpu().numpy() for values in (nll.double(), ranks, best, sureness.double()))
