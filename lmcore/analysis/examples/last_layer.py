"""The gradient of each row's loss with respect to the last layer, in the two factors that it is a product of."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.room import check_held, fitting_batch
from lmcore.errors import InputError
from lmcore.models.encode import Encodings, batch_of, length_sorted_batches
from lmcore.models.load import LoadedModel
from lmcore.models.predict import BATCH_SIZE
from lmcore.tasks.base import Task
from lmcore.types import Report, Silent

if TYPE_CHECKING:
    import torch

FEW_OUTPUTS = 1024
_LOSS_COPIES = 3  # outputs over the vocabulary that a loss and its gradient leave beside the outputs themselves, about


@dataclass(frozen=True, eq=False)
class Factors:
    """What the gradients of one linear layer are made of: a weight's is the sum over tokens of error × feature.

    Attributes:
        features: what the layer reads, shape (windows, tokens, features).
        errors: gradient of a batch's loss with respect to what it gives, shape (windows, tokens, outputs).
        shares: what makes it that of each window's row alone, float64 of shape (windows,).
        biased: whether the layer has a bias, whose gradient is the sum of the errors.
    """

    features: "torch.Tensor"
    errors: "torch.Tensor"
    shares: np.ndarray
    biased: bool


@dataclass(frozen=True, eq=False)
class WindowFactors:
    """The factors of one batch of windows.

    Attributes:
        rows: the row that each window is of, int64 of shape (windows,).
        layers: the factors of each last layer.
    """

    rows: np.ndarray
    layers: tuple[Factors, ...]


def last_layer_factors(
    loaded: LoadedModel, task: Task, encodings: Encodings, *, report: Report | None = None
) -> Iterator[WindowFactors]:
    """Yield, batch by batch, what the gradients of the rows' losses are made of.

    The loss is the model's own, with which it is trained: that of a batch with this row alone, all its windows together. No
    temperature that was fitted later is in it.

    Args:
        loaded: a model with a head.
        task: its task.
        encodings: rows with what is to be learnt of them.
        report: progress and cancellation.

    Raises:
        InputError: the task learns from no rows, or the model's last layers cannot be seen.
        ResourceError: not even one window fits into the memory that is free.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    lessons, owners = task.lessons(loaded, encodings), encodings.owners
    wanted = np.zeros((int(owners.max(initial=0)) + 1, lessons.shape[1]))
    np.add.at(wanted, owners, lessons)
    size, done = _batch_size(loaded, encodings), 0
    # A twin that shares the weights: what is hooked to it sees no other thread's runs.
    implementation = str(getattr(loaded.model.base_model.config, "_attn_implementation", None) or "sdpa")
    with loaded.attention(implementation) as twin, _watched(_last_layers(loaded, twin, lessons.shape[1])) as seen:
        for windows in _batches(task, encodings.lengths, size):
            report.check()
            batch = batch_of(loaded.tokenizer, encodings, windows.tolist(), loaded.device)
            factors = _factors(replace(loaded, model=twin), batch, seen)
            of_row, of_batch = wanted[owners[windows]], lessons[windows].sum(axis=0)
            shares = np.divide(of_batch, of_row, out=np.zeros_like(of_row), where=of_row > 0)
            layers = tuple(replace(item, shares=shares[:, n]) for n, item in enumerate(factors))
            yield WindowFactors(owners[windows], layers)
            done += len(windows)
            report.progress(done / len(encodings), f"{done} of {len(encodings)} texts read")


def check_query_room(loaded: LoadedModel, task: Task, encodings: Encodings) -> None:
    """Refuse a text whose factors would not fit while the rows are read: of a language model they are kept token by token.

    Raises:
        ResourceError: with the figures, and what to do.
    """
    head = loaded.model.get_output_embeddings()
    if head is not None:
        tokens = int(task.lessons(loaded, encodings).sum())
        check_held(loaded, tokens, sum(head.weight.shape), "learnt tokens of the answer")


def _batches(task: Task, lengths: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield windows of like length, of equal length where padding would be in the loss."""
    for windows in length_sorted_batches(lengths, size):
        if task.loss_ignores_padding:
            yield windows
        else:
            yield from np.split(windows, np.flatnonzero(np.diff(lengths[windows])) + 1)


def _batch_size(loaded: LoadedModel, encodings: Encodings) -> int:
    head, longest = loaded.model.get_output_embeddings(), int(encodings.lengths.max(initial=1))
    if loaded.model.config.is_encoder_decoder:  # what is written may be longer than what is read
        longest = max(longest, *map(len, encodings.fields["labels"]))
    outputs, width = (0, 1) if head is None else head.weight.shape
    return fitting_batch(loaded, longest, BATCH_SIZE, kept=math.ceil(_LOSS_COPIES * outputs / width))


def _last_layers(loaded: LoadedModel, model: Any, count: int) -> list[Any]:
    """Return a language model's output embedding, of another model its last linear layers."""
    from torch import nn

    head = model.get_output_embeddings()
    if head is not None:
        return [head]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)][-count:]
    outputs = sum(layer.out_features for layer in linear)
    if len(linear) < count or (loaded.labels and outputs != len(loaded.labels)):
        raise InputError(
            f"{loaded.ref} has no last linear layer that can be seen: choose a version that is not compressed."
        )
    return linear


@contextmanager
def _watched(layers: Sequence[Any]) -> Iterator[list[tuple[Any, Any, bool]]]:
    """Note what layers read and give, and let gradients begin there: (features, outputs, whether there is a bias)."""
    seen: list[tuple[Any, Any, bool]] = []

    def note(module: Any, inputs: Any, output: Any) -> Any:
        given = output.detach()
        # In half of the digits the error of an answer that is all but certain would be 0.
        given = (given.double() if given.shape[-1] <= FEW_OUTPUTS else given.float()).requires_grad_()
        seen.append((inputs[0].detach(), given, module.bias is not None))
        return given

    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _factors(
    loaded: LoadedModel, batch: "dict[str, torch.Tensor]", seen: list[tuple[Any, Any, bool]]
) -> tuple[Factors, ...]:
    import torch

    seen.clear()
    errors: Sequence[torch.Tensor | None]
    with torch.enable_grad():  # of the weights none asks for a gradient, so that nothing is kept below the last layer
        loss = loaded.model(**batch).loss
        outputs = [given for _, given, _ in seen]
        errors = torch.autograd.grad(loss, outputs, allow_unused=True) if loss.requires_grad else [None]
    found = [error for error in errors if error is not None]
    if len(found) < len(seen) or not found:
        raise InputError(
            f"{loaded.ref} does not make its outputs by its last linear layer, so that the influence would not be that of what "
            "it uses: choose another model."
        )
    rows = len(batch["input_ids"])
    return tuple(
        Factors(_by_token(read, rows).to(given.dtype), _by_token(error, rows), np.ones(rows), biased)
        for (read, given, biased), error in zip(seen, found, strict=True)
    )


def _by_token(values: "torch.Tensor", rows: int) -> "torch.Tensor":
    """Return values of whole windows as if each had one token, shape (windows, tokens, …)."""
    return values.reshape(rows, -1, values.shape[-1])
