"""Hidden states of every layer, batch by batch, so that memory does not grow with the number of texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.models.encode import Encodings, batch_of, length_sorted_batches
from lmcore.models.load import LoadedModel
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 32
READ = frozenset({"input_ids", "attention_mask", "token_type_ids", "decoder_input_ids"})


@dataclass(frozen=True, eq=False)
class HiddenBatch:
    """One forward pass.

    Attributes:
        rows: which texts, int64 of shape (batch,).
        states: a tensor of shape (batch, tokens, features) for each layer, embeddings first.
        mask: 1 for a real token, shape (batch, tokens).
        logits: the model's outputs, where they were asked for and it has any.
    """

    rows: np.ndarray
    states: "tuple[torch.Tensor, ...]"
    mask: "torch.Tensor"
    logits: "torch.Tensor | None"


def stream_hidden_states(
    loaded: LoadedModel,
    encodings: Encodings,
    *,
    outputs: bool = False,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Iterator[HiddenBatch]:
    """Run the model over texts in batches of like length and yield every layer's states.

    The model is run without its head, which takes a language model a fifth of the time and most of the memory. Of an
    encoder-decoder the encoder alone is run: it reads the text.

    Args:
        loaded: the model.
        encodings: what it reads.
        outputs: whether the model's outputs are wanted too; an encoder-decoder gives none.
        batch_size: texts in one pass.
        report: progress and cancellation.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    report = report or Silent()
    done = 0
    model = reading_module(loaded, outputs=outputs)
    for rows in length_sorted_batches(encodings.lengths, batch_size):
        report.check()
        batch = batch_of(loaded.tokenizer, encodings, rows.tolist(), loaded.device, labels=False)
        read = batch if outputs else {name: value for name, value in batch.items() if name in READ}
        with torch.inference_mode():
            out = model(**read, output_hidden_states=True)
        states = tuple(out.hidden_states or (out.last_hidden_state,))
        yield HiddenBatch(rows, states, batch["attention_mask"], getattr(out, "logits", None))
        done += len(rows)
        report.progress(done / len(encodings), f"{done} of {len(encodings)} texts read by the model")


def reading_module(loaded: LoadedModel, *, outputs: bool = False) -> Any:
    """Return the module that reads a text: the model, without its head unless its outputs are wanted, or an encoder."""
    if getattr(loaded.model.config, "is_encoder_decoder", False):
        return loaded.model.get_encoder()
    return loaded.model if outputs else loaded.model.base_model


def mean_pooled_states(
    loaded: LoadedModel, encodings: Encodings, *, batch_size: int = BATCH_SIZE, report: Report | None = None
) -> np.ndarray:
    """Return the mean token vector of each text at each layer.

    Returns:
        float32 of shape (layers + 1, texts, features), layer 0 being the embeddings.

    Raises:
        Cancelled: the report asked to stop.
    """
    from lmcore.models.pooled import mean_pool

    pooled: np.ndarray | None = None
    for batch in stream_hidden_states(loaded, encodings, batch_size=batch_size, report=report):
        if pooled is None:
            pooled = np.empty((len(batch.states), len(encodings), batch.states[0].shape[-1]), dtype=np.float32)
        for layer, state in enumerate(batch.states):
            pooled[layer, batch.rows] = mean_pool(state, batch.mask).float().cpu().numpy()
    return pooled if pooled is not None else np.zeros((0, 0, 0), dtype=np.float32)
