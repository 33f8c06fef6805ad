"""Running a model over variants of readings: other embeddings in place of the tokens' own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.apart import are_apart, run_apart
from lmcore.analysis.parity import check_parity
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.tasks import load_task
from lmcore.types import Target

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Variant:
    """One row of a batch's output, as a batch of one, under the names that the model gave its parts."""

    batch: "Variants"
    row: int

    def __getattr__(self, name: str) -> Any:
        return self.batch.part(name)[self.row]


class Variants:
    """A batch's output, cut into its rows.

    Each part is cut once: the way back through a slice fills zeros for the whole batch, so that slicing row by row would take
    time with the square of the rows.
    """

    def __init__(self, out: Any) -> None:
        self._out = out
        self._parts: dict[str, Any] = {}

    def part(self, name: str) -> Any:
        """Return one part of the output, row by row."""
        if name not in self._parts:
            self._parts[name] = getattr(self._out, name).split(1)
        return self._parts[name]

    def __getitem__(self, row: int) -> Variant:
        return Variant(self, row)


def token_embeddings(loaded: LoadedModel, reading: Reading, ids: "torch.Tensor | None" = None) -> "torch.Tensor":
    """Return what the first layer would be given for each token, without positions; shape (tokens, features).

    Args:
        loaded: the model.
        reading: the tokens.
        ids: other tokens in their places, shape (tokens,).
    """
    import torch

    ids = torch.from_numpy(reading.tokens.ids).to(loaded.device) if ids is None else ids
    base = loaded.model.base_model
    if reading.first == len(reading) or reading.apart:
        found: torch.Tensor = loaded.model.get_input_embeddings()(ids)
        return found
    first, second = base.get_encoder(), base.get_decoder()
    return torch.cat(
        [
            first.get_input_embeddings()(ids[: reading.first]) * _outer_scale(first),
            second.get_input_embeddings()(ids[reading.first :]),
        ]
    )


def run_embeddings(
    loaded: LoadedModel, readings: Sequence[Reading], inputs: "torch.Tensor", numbers: np.ndarray, **options: Any
) -> Any:
    """Run the model over embeddings in place of tokens.

    Args:
        loaded: the model.
        readings: of which the rows are variants.
        inputs: shape (rows, tokens, features), as `token_embeddings` has them, padded on the right.
        numbers: which reading each row is a variant of, shape (rows,).
        options: what else the model takes, such as ``output_hidden_states``.

    Returns:
        What the model returned.
    """
    own = [readings[n] for n in numbers]
    if are_apart(own):
        return run_apart(loaded, own, inputs, "inputs_embeds")
    firsts, totals = np.array([r.first for r in own]), np.array([len(r) for r in own])
    given: dict[str, Any] = {**_fields(own, inputs.device), **options}
    given["attention_mask"] = _mask(firsts, inputs.device)
    if (firsts == totals).all():
        return loaded.model(inputs_embeds=inputs, **given)
    return loaded.model(
        inputs_embeds=_stretch(inputs, np.zeros_like(firsts), firsts),
        decoder_inputs_embeds=_stretch(inputs, firsts, totals),
        decoder_attention_mask=_mask(totals - firsts, inputs.device),
        **given,
    )


def run_tokens(
    loaded: LoadedModel, readings: Sequence[Reading], ids: "Sequence[np.ndarray] | None" = None, **options: Any
) -> Any:
    """Run the model over readings, or over other tokens in their places, in one batch padded on the right.

    Args:
        loaded: the model.
        readings: one a row.
        ids: tokens that stand in place of each reading's own, of the same number.
        options: what else the model takes.
    """
    import torch

    rows = [r.tokens.ids for r in readings] if ids is None else list(ids)
    firsts, totals = np.array([r.first for r in readings]), np.array([len(r) for r in readings])
    pad = loaded.tokenizer.pad_token_id or 0
    whole = np.full((len(rows), int(totals.max())), pad, dtype=np.int64)
    for place, row in enumerate(rows):
        whole[place, : len(row)] = row
    tokens = torch.from_numpy(whole).to(loaded.device)
    if are_apart(readings):
        return run_apart(loaded, readings, tokens, "input_ids")
    given: dict[str, Any] = {**_fields(readings, tokens.device), **options}
    given["attention_mask"] = _mask(firsts, tokens.device)
    if (firsts == totals).all():
        return loaded.model(input_ids=tokens, **given)
    return loaded.model(
        input_ids=_stretch(tokens, np.zeros_like(firsts), firsts, fill=pad),
        decoder_input_ids=_stretch(tokens, firsts, totals, fill=pad),
        decoder_attention_mask=_mask(totals - firsts, tokens.device),
        **given,
    )


def target_values(loaded: LoadedModel, out: Any, readings: Sequence[Reading], targets: Sequence[Target]) -> np.ndarray:
    """Return the value of each row's target, float64 of shape (rows,)."""
    task, batch = load_task(loaded.task).adapted(loaded.model.config), Variants(out)
    rows = [task.objective(loaded, batch[i], r, t)[0] for i, (r, t) in enumerate(zip(readings, targets, strict=True))]
    return np.array([float(value) for value in rows], dtype=np.float64)


def read_where_written(loaded: LoadedModel, readings: Sequence[Reading]) -> dict[str, Any]:
    """Return what tells a model to read its head only where what was written is predicted, in any of the rows.

    A vocabulary's logits at every token of a long text would take more memory and time than they are worth. Empty for a
    model that cannot be told.
    """
    import torch

    chosen = _read_places(loaded, readings)
    return {} if chosen is None else {"logits_to_keep": torch.from_numpy(chosen).to(loaded.device)}


def among_read(loaded: LoadedModel, readings: Sequence[Reading]) -> list[Reading]:
    """Return readings whose outputs have their places in what comes of `read_where_written`."""
    chosen = _read_places(loaded, readings)
    if chosen is None:
        return list(readings)
    return [replace(r, written=replace(r.written, at=np.searchsorted(chosen, r.written.at))) for r in readings]


def read_count(loaded: LoadedModel, readings: Sequence[Reading]) -> int | None:
    """Return at how many tokens of a reading, at most, the head is read so; None for all of them."""
    if _read_places(loaded, readings) is None:
        return None
    return max(len(reading.written) for reading in readings)


def _read_places(loaded: LoadedModel, readings: Sequence[Reading]) -> np.ndarray | None:
    import inspect

    if "logits_to_keep" not in inspect.signature(loaded.model.forward).parameters or not readings:
        return None
    found = np.unique(np.concatenate([reading.written.at for reading in readings]))
    return found if len(found) else None


def check_embeddings(loaded: LoadedModel, readings: Sequence[Reading]) -> None:
    """Compare, on the shortest reading, the outputs for its tokens with those for its embeddings.

    Raises:
        InputError: they differ.
    """
    import torch

    if not readings:
        return
    shortest = min(readings, key=len)
    with torch.inference_mode():
        few = read_where_written(loaded, [shortest])
        plain = run_tokens(loaded, [shortest], **few)
        own = token_embeddings(loaded, shortest)[None]
        embedded = run_embeddings(loaded, [shortest], own, np.zeros(1, dtype=int), **few)
    name = "logits" if "logits" in plain else "start_logits" if "start_logits" in plain else "last_hidden_state"
    check_parity(loaded, plain[name], embedded[name], "embeddings in place of tokens")


def _outer_scale(stack: Any) -> float:
    """Return what a stack multiplies embeddings with outside of the module that looks them up, as Marian's encoder does."""
    from torch import nn

    plain = type(stack.get_input_embeddings()) is nn.Embedding
    return float(getattr(stack, "embed_scale", 1.0)) if plain else 1.0


def _mask(lengths: np.ndarray, device: "torch.device") -> "torch.Tensor":
    import torch

    places = np.arange(int(lengths.max(initial=0)))[None, :] < lengths[:, None]
    return torch.from_numpy(places.astype(np.int64)).to(device)


def _fields(readings: Sequence[Reading], device: "torch.device") -> "dict[str, torch.Tensor]":
    import torch

    width = max(r.first for r in readings)
    found = {}
    for name in {name for r in readings for name in r.fields}:
        values = np.zeros((len(readings), width), dtype=np.int64)
        for place, reading in enumerate(readings):
            own = reading.fields.get(name, np.zeros(0, dtype=np.int64))
            values[place, : len(own)] = own
        found[name] = torch.from_numpy(values).to(device)
    return found


def _stretch(rows: "torch.Tensor", starts: np.ndarray, ends: np.ndarray, *, fill: int = 0) -> "torch.Tensor":
    """Return the places ``starts`` to ``ends`` of each row, padded on the right."""
    import torch

    cut = [row[a:b] for row, a, b in zip(rows, starts.tolist(), ends.tolist(), strict=True)]
    return torch.nn.utils.rnn.pad_sequence(cut, batch_first=True, padding_value=fill)
