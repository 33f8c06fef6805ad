"""What components give, batch by batch, so that memory does not grow with the number of texts."""

from collections.abc import Iterator, Sequence
from typing import Any

from lmcore.models.components import Component, record
from lmcore.models.encode import Encodings, batch_of, length_sorted_batches
from lmcore.models.hidden import BATCH_SIZE, READ, HiddenBatch
from lmcore.models.load import LoadedModel
from lmcore.types import Report, Silent


def stream_components(
    loaded: LoadedModel,
    encodings: Encodings,
    wanted: Sequence[Component],
    *,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Iterator[HiddenBatch]:
    """Run a model over texts in batches of like length and yield what components of one stack gave.

    The model runs as a twin, without its head, and of an encoder-decoder only as far as is needed.

    Args:
        loaded: the model.
        encodings: what it reads; for a decoder behind an encoder with the field ``decoder_input_ids``.
        wanted: components of one stack, in the order in which their values are to come.
        batch_size: texts in one pass.
        report: progress and cancellation.

    Yields:
        One pass: a tensor for each component, those of heads with all heads' features side by side. Its mask is that of
        the stack's own tokens.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    report = report or Silent()
    model = loaded.twin()
    runner = stack_runner(model, wanted[0].stack)
    done = 0
    with record(model, wanted) as kept:
        for rows in length_sorted_batches(encodings.lengths, batch_size):
            report.check()
            batch = batch_of(loaded.tokenizer, encodings, rows.tolist(), loaded.device, labels=False)
            with torch.inference_mode():
                runner(**{name: value for name, value in batch.items() if name in READ})
            states = tuple(kept[part].flatten(2) for part in wanted)
            yield HiddenBatch(rows, states, _mask(batch, encodings, rows.tolist(), wanted[0].stack), None)
            done += len(rows)
            report.progress(done / len(encodings), f"{done} of {len(encodings)} texts read by the model")


def stack_runner(model: Any, stack: str) -> Any:
    """Return the smallest part of a model that runs one of its stacks over a batch."""
    base = model.base_model
    return base.get_encoder() if stack == "encoder" else base


def _mask(batch: Any, encodings: Encodings, rows: Sequence[int], stack: str) -> Any:
    """Return which places of the stack are tokens and not padding, shape (batch, tokens)."""
    import torch

    if stack != "decoder":
        return batch["attention_mask"]
    lengths = torch.tensor([len(encodings.fields["decoder_input_ids"][row]) for row in rows])
    places = torch.arange(int(batch["decoder_input_ids"].shape[1]))
    return (places < lengths[:, None]).to(batch["attention_mask"])
