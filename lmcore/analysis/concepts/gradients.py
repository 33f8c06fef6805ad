"""How an output changes when every token of a layer is moved the same way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.runs import Variants, check_embeddings, run_embeddings, token_embeddings
from lmcore.errors import InputError
from lmcore.models.encode import length_sorted_batches
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Report

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 16


def layer_gradients(
    loaded: LoadedModel, asked: Sequence[Asked], report: Report, *, batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """Return the gradient of each text's target with respect to a step that all tokens of a layer make together.

    It is the sum over the tokens of the gradients at their states; of an encoder-decoder over those that the encoder
    reads. One backward pass gives all layers.

    Args:
        loaded: a model with a head.
        asked: texts with their targets.
        report: progress and cancellation.
        batch_size: texts in one pass.

    Returns:
        float32 of shape (layers + 1, texts, features), layer 0 being the embeddings.

    Raises:
        InputError: the model answers otherwise when it is given embeddings, or a layer's states do not lead to its output.
        Cancelled: the report asked to stop.
    """
    check_embeddings(loaded, [each.reading for each in asked])
    found: np.ndarray | None = None
    done = 0
    for rows in length_sorted_batches(np.array([len(each.reading) for each in asked]), batch_size):
        report.check()
        slopes = _batch(loaded, [asked[row] for row in rows])
        if found is None:
            found = np.empty((len(slopes), len(asked), slopes.shape[-1]), dtype=np.float32)
        found[:, rows] = slopes
        done += len(rows)
        report.progress(done / len(asked), f"{done} of {len(asked)} texts differentiated")
    return found if found is not None else np.zeros((0, 0, 0), dtype=np.float32)


def _batch(loaded: LoadedModel, asked: Sequence[Asked]) -> np.ndarray:
    import torch

    readings = [each.reading for each in asked]
    task = load_task(loaded.task).adapted(loaded.model.config)
    with torch.enable_grad():
        rows = [token_embeddings(loaded, reading).detach() for reading in readings]
        inputs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).requires_grad_(True)
        out = run_embeddings(loaded, readings, inputs, np.arange(len(readings)), output_hidden_states=True)
        batch = Variants(out)
        values = [task.objective(loaded, batch[i], each.reading, each.target)[0] for i, each in enumerate(asked)]
        slopes = torch.autograd.grad(torch.stack(values).sum(), _states(out), allow_unused=True)
    if any(slope is None for slope in slopes):
        raise InputError(f"The states that {loaded.ref} returns do not lead to its output: choose another model.")
    firsts = torch.tensor([reading.first for reading in readings], device=inputs.device)
    stacked = [_over_tokens(slope, firsts).float().cpu().numpy() for slope in slopes]
    return np.stack(stacked)


def _states(out: Any) -> "list[torch.Tensor]":
    """Return the states of the stack that reads the text."""
    states = getattr(out, "encoder_hidden_states", None)
    return list(states if states is not None else out.hidden_states)


def _over_tokens(slope: "torch.Tensor", firsts: "torch.Tensor") -> "torch.Tensor":
    """Add gradients (texts, tokens, features) up over each text's own tokens."""
    import torch

    own = torch.arange(slope.shape[1], device=slope.device)[None] < firsts[:, None]
    return (slope * own[..., None]).sum(dim=1)
