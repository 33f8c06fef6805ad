"""How much a text's output hangs on each head: by the gradient of a gate, or by taking the head out."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.head_objective import Objective
from lmcore.methods import Method, Option, Registry
from lmcore.models.head_outputs import HeadOutput, gate_gradients, gated_heads, watched_heads
from lmcore.types import Report

if TYPE_CHECKING:
    import torch

FILLS = ("zero", "mean")
COPIES = 32
_LOGIT_BYTES = 1 << 27

IMPORTANCE = Registry(
    "head importance",
    Method(
        name="gradient",
        title="Gradient of a gate",
        summary="How steeply the output changes with a factor on the head's output (Michel et al. 2019): one pass and its way "
        "back for each text; first order alone, and without a sign.",
        target="lmcore.analysis.importance_methods:by_gradient",
        facts={"signed": False},
    ),
    Method(
        name="ablation",
        title="Ablation",
        summary="By how much the output falls without the head: one pass for each head and text; above 0 where the head works "
        "for the output, below where it works against it.",
        target="lmcore.analysis.importance_methods:by_ablation",
        options=(
            Option(
                "fill",
                "choice",
                "zero",
                "What stands in for the head: zero, or its mean output over all tokens of the texts.",
                choices=FILLS,
            ),
        ),
        facts={"signed": True},
    ),
)


def by_gradient(model: Any, outputs: list[HeadOutput], objective: Objective, report: Report) -> np.ndarray:
    """Return the mean absolute gradient of the value with respect to a factor on each head's output.

    That is the head's output times the gradient with respect to it, summed over tokens and features, without its sign
    (Michel et al. 2019); each window has gates of its own.

    Returns:
        float64 of shape (layers, heads), from 0.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    total = np.zeros((len(outputs), outputs[0].heads))
    for number, (batch, value) in enumerate(zip(objective.batches, objective.values, strict=True)):
        report.check()
        device = batch["input_ids"].device
        gates = [torch.ones(1, output.heads, device=device, requires_grad=True) for output in outputs]
        with torch.enable_grad(), gated_heads(outputs, gates):
            reached = value(model, batch).sum()
        total += gate_gradients(reached, gates).sum(dim=1).double().cpu().numpy()
        report.progress((number + 1) / len(objective.batches), f"{number + 1} of {len(objective.batches)} texts read")
    return total / len(objective.batches)


def by_ablation(
    model: Any, outputs: list[HeadOutput], objective: Objective, report: Report, *, fill: str = "zero"
) -> np.ndarray:
    """Return by how much the value falls, on the mean, when each head is taken out.

    Copies of a text go through the model side by side, each without another head.

    Returns:
        float64 of shape (layers, heads); above 0 where the head works for the value.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    fills = _mean_outputs(model, outputs, objective, report) if fill == "mean" else None
    places = [(layer, head) for layer, output in enumerate(outputs) for head in range(output.heads)]
    total = np.zeros((len(outputs), outputs[0].heads))
    with torch.inference_mode():
        for number, (batch, value) in enumerate(zip(objective.batches, objective.values, strict=True)):
            whole = float(value(model, batch)[0])
            size = _copies(model, batch) if objective.copies else 1
            for start in range(0, len(places), size):
                report.check()
                chosen = places[start : start + size]
                gates = [_without(output, layer, chosen, batch) for layer, output in enumerate(outputs)]
                with gated_heads(outputs, gates, fills):
                    found = value(model, _repeated(batch, len(chosen)))
                for (layer, head), without in zip(chosen, found.tolist(), strict=True):
                    total[layer, head] += whole - without
                done = number * len(places) + start + len(chosen)
                report.progress(
                    done / (len(places) * len(objective.batches)), f"{done} of {len(places) * len(objective.batches)} heads "
                    "taken out"
                )  # fmt: skip
    return total / len(objective.batches)


def _without(
    output: HeadOutput, layer: int, chosen: list[tuple[int, int]], batch: "dict[str, torch.Tensor]"
) -> "torch.Tensor":
    """Return a layer's gates: each copy of the text lacks the head that it is to do without, if that is of this layer."""
    import torch

    gate = torch.ones(len(chosen), output.heads, device=batch["input_ids"].device)
    for copy, (at, head) in enumerate(chosen):
        if at == layer:
            gate[copy, head] = 0
    return gate


def _repeated(batch: "dict[str, torch.Tensor]", copies: int) -> "dict[str, torch.Tensor]":
    return {name: item.repeat_interleave(copies, dim=0) for name, item in batch.items()}


def _copies(model: Any, batch: "dict[str, torch.Tensor]") -> int:
    """Return how many copies go in one pass, so that their logits stay within 128 MiB."""
    width = max(int(item.shape[1]) for item in batch.values() if item.dim() > 1)
    config = model.config
    outputs = config.get_text_config().vocab_size if hasattr(model, "lm_head") else config.num_labels
    return max(1, min(COPIES, _LOGIT_BYTES // (4 * width * int(outputs))))


def _mean_outputs(
    model: Any, outputs: list[HeadOutput], objective: Objective, report: Report
) -> "list[torch.Tensor]":
    """Return the mean of what goes into each joint over all tokens of all texts, shape (heads × features) each."""
    import torch

    sums: list[Any] = [0.0] * len(outputs)
    tokens = 0
    with torch.inference_mode():
        for batch, value in zip(objective.batches, objective.values, strict=True):
            report.check()
            seen: dict[int, torch.Tensor] = {}
            with watched_heads(outputs, seen):
                value(model, batch)
            for place in range(len(outputs)):
                sums[place] = sums[place] + seen[place][0].sum(dim=0)
            tokens += int(seen[0].shape[1])
    return [total / tokens for total in sums]
