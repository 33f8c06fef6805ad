"""How much a text's output hangs on each head: by the gradient of a gate, or by taking the head out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.attention.head_objective import Objective
from lmcore.methods import Method, Option, Registry
from lmcore.models.components import Component, record
from lmcore.models.head_gates import gate_gradients, gated_heads
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
        target="lmcore.analysis.attention.importance_methods:by_gradient",
        facts={"signed": False},
    ),
    Method(
        name="ablation",
        title="Ablation",
        summary="By how much the output falls without the head: one pass for each head and text; above 0 where the head works "
        "for the output, below where it works against it.",
        target="lmcore.analysis.attention.importance_methods:by_ablation",
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


def by_gradient(model: Any, parts: Sequence[Component], objective: Objective, report: Report) -> np.ndarray:
    """Return the mean absolute gradient of the value with respect to a factor on each head's output.

    That is the head's output times the gradient with respect to it, summed over tokens and features, without its sign
    (Michel et al. 2019); each text has factors of its own.

    Returns:
        float64 of shape (layers, heads), from 0.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    total = np.zeros((len(parts), parts[0].heads))
    for number, value in enumerate(objective.values, 1):
        report.check()
        gates = [torch.ones(1, part.heads, device=model.device, requires_grad=True) for part in parts]
        with torch.enable_grad(), gated_heads(model, parts, gates):
            reached = value(model, 1).sum()
        total += gate_gradients(reached, gates).sum(dim=1).double().cpu().numpy()
        report.progress(number / len(objective.values), f"{number} of {len(objective.values)} texts read")
    return total / len(objective.values)


def by_ablation(
    model: Any, parts: Sequence[Component], objective: Objective, report: Report, *, fill: str = "zero"
) -> np.ndarray:
    """Return by how much the value falls, on the mean, when each head is taken out.

    Copies of a text go through the model side by side, each without another head.

    Returns:
        float64 of shape (layers, heads); above 0 where the head works for the value.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    places = [(layer, head) for layer, part in enumerate(parts) for head in range(part.heads)]
    total = np.zeros((len(parts), parts[0].heads))
    done, whole = 0, len(places) * len(objective.values)
    with torch.inference_mode():
        fills = _mean_outputs(model, parts, objective, report) if fill == "mean" else None
        for value, width in zip(objective.values, objective.widths, strict=True):
            plain = float(value(model, 1)[0])
            size = _copies(model, width) if objective.copies else 1
            for start in range(0, len(places), size):
                report.check()
                chosen = places[start : start + size]
                with gated_heads(model, parts, _without(parts, chosen, model.device), fills):
                    found = value(model, len(chosen))
                for (layer, head), left in zip(chosen, found.tolist(), strict=True):
                    total[layer, head] += plain - left
                done += len(chosen)
                report.progress(done / whole, f"{done} of {whole} heads taken out")
    return total / len(objective.values)


def _without(parts: Sequence[Component], chosen: list[tuple[int, int]], device: Any) -> "list[torch.Tensor]":
    """Return each layer's gates for as many copies of a text, each of which is to do without one head."""
    import torch

    gates = [torch.ones(len(chosen), part.heads, device=device) for part in parts]
    for copy, (layer, head) in enumerate(chosen):
        gates[layer][copy, head] = 0
    return gates


def _copies(model: Any, width: int) -> int:
    """Return how many copies of a text go in one pass, so that their logits stay within 128 MiB."""
    head = model.get_output_embeddings()
    outputs = 1 if head is None else int(head.weight.shape[0])
    return max(1, min(COPIES, _LOGIT_BYTES // (4 * width * outputs)))


def _mean_outputs(model: Any, parts: Sequence[Component], objective: Objective, report: Report) -> "list[torch.Tensor]":
    """Return the mean output of each layer's heads over all tokens of all texts, shape (heads, features) each."""
    sums: dict[Component, Any] = dict.fromkeys(parts, 0.0)
    tokens = 0
    with record(model, parts) as seen:
        for value in objective.values:
            report.check()
            value(model, 1)
            for part in parts:
                sums[part] = sums[part] + seen[part].sum(dim=(0, 1))
            tokens += int(seen[parts[0]].shape[1])
    return [sums[part] / tokens for part in parts]
