"""Running a model so that it gives its attention weights, within a stated number of bytes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmcore.analysis.parity import check_parity, model_output
from lmcore.errors import InputError, ResourceError
from lmcore.models.encode import Encodings, batch_of, length_sorted_batches, pad_batch
from lmcore.models.layer_steps import layer_steps
from lmcore.models.load import LoadedModel, reading_config
from lmcore.models.structure import HEADS
from lmcore.settings import MIB
from lmcore.types import Part, Report, Silent, count_of

if TYPE_CHECKING:
    import torch

Kind = Literal["encoder", "decoder", "cross"]

MAX_BYTES = 1 << 30
BATCH_SIZE = 16
_FLOAT_BYTES = 4
_OUTPUTS: dict[Kind, str] = {
    "encoder": "encoder_attentions",
    "decoder": "decoder_attentions",
    "cross": "cross_attentions",
}


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """How many attention maps a model gives of one kind: layers, and heads of each."""

    layers: int
    heads: int

    def nbytes(self, rows: int, columns: int) -> int:
        """Return the bytes of all maps of a text in float32."""
        return self.layers * self.heads * rows * columns * _FLOAT_BYTES

    @property
    def said(self) -> str:
        """It in words: ``6 layers of 12 heads``."""
        return f"{count_of(self.layers, 'layer')} of {count_of(self.heads, 'head')}"


def attention_kinds(loaded: LoadedModel) -> tuple[Kind, ...]:
    """Return which attention a model has, the main self-attention first."""
    config = loaded.model.base_model.config
    if getattr(config, "is_encoder_decoder", False):
        return ("encoder", "decoder", "cross")
    return ("decoder",) if is_causal(config) else ("encoder",)


def is_causal(config: Any) -> bool:
    """Say whether a model of this configuration, of one stack, reads from the left alone."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = str(getattr(reading_config(config), "model_type", ""))
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def attention_shape(loaded: LoadedModel, kind: Kind) -> AttentionShape:
    """Return the layers and heads of one kind of a model's attention, from its configuration."""
    config = reading_config(loaded.model.base_model.config)
    layers, heads = config.num_hidden_layers, getattr(config, HEADS, 0) or config.num_attention_heads
    if kind != "encoder" and getattr(config, "is_encoder_decoder", False):
        layers = getattr(config, "decoder_layers", None) or getattr(config, "num_decoder_layers", None) or layers
        heads = getattr(config, "decoder_attention_heads", None) or heads
    return AttentionShape(int(layers), int(heads))


def check_bytes(shape: AttentionShape, rows: int, columns: int, max_bytes: int) -> None:
    """Refuse maps that would take more than so many bytes, before anything is run.

    Raises:
        ResourceError: with the figure, and the number of tokens that would be few enough.
    """
    needed = shape.nbytes(rows, columns)
    if needed <= max_bytes:
        return
    fitting = count_of(math.isqrt(max_bytes // (shape.layers * shape.heads * _FLOAT_BYTES)), "token")
    size = f"{rows} × {columns} tokens" if rows != columns else count_of(rows, "token")
    raise ResourceError(
        f"The attention of {size} in {shape.said} takes {needed / MIB:,.0f} MiB, and "
        f"the limit is {max_bytes / MIB:,.0f} MiB: give a text of at most {fitting}, or set the limit higher."
    )


def stream_attention(
    loaded: LoadedModel,
    encodings: Encodings,
    kinds: Sequence[Kind],
    *,
    decoder_ids: Sequence[Sequence[int]] | None = None,
    batch_size: int = BATCH_SIZE,
    max_bytes: int = MAX_BYTES,
    report: Report | None = None,
) -> Iterator[tuple[int, dict[Kind, np.ndarray]]]:
    """Run a model with eager attention (others do not return their weights) and yield the maps of one text after another.

    Texts go in batches of like length, as many at once as the limit allows, so that memory does not grow with their
    number. The first batch is held against a plain run.

    Args:
        loaded: the model.
        encodings: what it reads.
        kinds: which attention.
        decoder_ids: of an encoder-decoder what its decoder reads, one list a text; needed unless only the encoder's
            attention is asked for.
        batch_size: texts in one pass, at most.
        max_bytes: of the maps of one batch; for a moment a text's maps are in memory twice.
        report: progress and cancellation.

    Yields:
        The text's number, and for each kind float32 of shape (layers, heads, rows, columns), without padding.

    Raises:
        InputError: the model does not give its attention, or the eager run gives other outputs by more than 1e-4.
        ResourceError: the maps of one text take more than the limit.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    sizes = [_sizes(encodings, decoder_ids, number) for number in range(len(encodings))]
    for kind in kinds:
        for size in sizes:
            check_bytes(attention_shape(loaded, kind), *size[kind], max_bytes)
    per_text = max(sum(attention_shape(loaded, kind).nbytes(*size[kind]) for kind in kinds) for size in sizes)
    batch_size = max(1, min(batch_size, max_bytes // max(per_text, 1)))
    done = 0
    with loaded.attention("eager") as twin:
        for rows in length_sorted_batches(encodings.lengths, batch_size):
            report.check()
            batch = batch_of(loaded.tokenizer, encodings, rows.tolist(), loaded.device, labels=False)
            written = None if decoder_ids is None else [decoder_ids[row] for row in rows]
            part = Part(report, done / len(encodings), (done + len(rows)) / len(encodings))
            maps = _run(loaded, twin, batch, kinds, written, part, compare=not done)
            for place, row in enumerate(rows.tolist()):
                yield row, {kind: _cut(maps[kind], place, *sizes[row][kind]) for kind in kinds}
            done += len(rows)
            report.progress(done / len(encodings), f"Attention of {done} of {len(encodings)} texts read")


def _sizes(
    encodings: Encodings, decoder_ids: Sequence[Sequence[int]] | None, number: int
) -> dict[Kind, tuple[int, int]]:
    """Return rows and columns of one text's maps of each kind."""
    read = len(encodings.ids[number])
    written = read if decoder_ids is None else len(decoder_ids[number])
    return {"encoder": (read, read), "decoder": (written, written), "cross": (written, read)}


def _run(
    loaded: LoadedModel,
    twin: Any,
    batch: "dict[str, torch.Tensor]",
    kinds: Sequence[Kind],
    written: Sequence[Sequence[int]] | None,
    report: Report,
    *,
    compare: bool,
) -> "dict[Kind, list[torch.Tensor]]":
    """Run one batch and return each layer's weights of each kind, of shape (batch, heads, rows, columns)."""
    import torch

    model, joined = loaded.model, bool(getattr(loaded.model.config, "is_encoder_decoder", False))
    if joined and written is None:
        model, twin = model.get_encoder(), twin.get_encoder()
        batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
    elif joined and written is not None:
        decoder = pad_batch(loaded.tokenizer, written, loaded.device)
        batch = {
            **batch,
            "decoder_input_ids": decoder["input_ids"],
            "decoder_attention_mask": decoder["attention_mask"],
        }
    with torch.inference_mode():
        plain = model_output(model(**batch)) if compare else None
        report.check()
        with layer_steps(twin, report, "Attention"):
            out = twin(**batch, output_attentions=True)
    if plain is not None:
        check_parity(loaded, plain, model_output(out), "eager attention")
    found = {}
    for kind in kinds:
        maps = getattr(out, _OUTPUTS[kind] if joined and written is not None else "attentions", None)
        found[kind] = [layer for layer in (maps or ()) if layer is not None]
        if not found[kind]:
            raise InputError(f"{loaded.ref} gives no attention weights: it has no attention layers that can be read.")
    return found


def _cut(layers: "Sequence[torch.Tensor]", place: int, rows: int, columns: int) -> np.ndarray:
    """Return one text's maps without its padding, float32 of shape (layers, heads, rows, columns)."""
    maps = np.empty((len(layers), layers[0].shape[1], rows, columns), dtype=np.float32)
    for number, layer in enumerate(layers):
        maps[number] = layer[place, :, :rows, :columns].float().cpu().numpy()
    return maps
