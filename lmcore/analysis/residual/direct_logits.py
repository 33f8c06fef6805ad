"""Direct logit attribution: what the embedding, each head and each MLP adds to a logit (Elhage et al. 2021)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import Asked, ask
from lmcore.analysis.parity import TOLERANCE
from lmcore.analysis.residual.walk import Share, walk_back
from lmcore.analysis.room import check_room
from lmcore.analysis.runs import among_read, read_count, read_where_written, run_tokens
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component, components, record
from lmcore.models.components import replace as replaced
from lmcore.models.layer_steps import layer_steps
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens
from lmcore.tasks import load_task
from lmcore.types import Input, Part, Report, Silent, Target

if TYPE_CHECKING:
    import torch

HEAD_BIAS = "head bias"
COPIES = 3  # of what each part gave: in single precision, and in double
RUNS = 3
_ASKED, _RUN = 0.1, 0.8  # of the way: what is read is known, and the model has run


@dataclass(frozen=True, eq=False)
class LogitAttribution:
    """What each part of a model adds to a logit, or to the difference of two.

    Attributes:
        parts: ``name``, ``kind`` (see `lmcore.analysis.residual.walk.Share`), ``layer`` (from 1; 0 for the embedding),
            ``head`` (from 1; 0 where it is none) and ``score`` in logits; the scores sum to ``value``. No two have one
            name.
        scores: the same by token at which a part writes, float32 of shape (parts, tokens of the stack).
        tokens: those tokens, as they are shown.
        text_tokens: everything that is read.
        target: what is explained.
        value: the target's logit or difference of logits.
        error: by how much the scores' sum misses it, in logits.
        output: what the model wrote, or is taken to have written.
        fingerprint: hash of weights, tokens and target.
        asked: the text as it was read.
    """

    parts: pd.DataFrame
    scores: np.ndarray
    tokens: tuple[str, ...]
    text_tokens: TextTokens
    target: Target
    value: float
    error: float
    output: str
    fingerprint: str
    asked: Asked

    def to_frame(self) -> pd.DataFrame:
        """Return the parts."""
        return self.parts

    def strongest(self, number: int) -> pd.DataFrame:
        """Return the parts with the largest scores, of either sign."""
        return self.parts.loc[self.parts["score"].abs().sort_values(ascending=False).index[:number]]

    def heads(self, kind: str = "head") -> np.ndarray:
        """Return the scores of all heads, float64 of shape (layers, heads); empty for a kind that there is not."""
        own = self.parts[self.parts["kind"] == kind]
        return own.pivot(index="layer", columns="head", values="score").to_numpy() if len(own) else np.zeros((0, 0))


def attribute_logits(
    loaded: LoadedModel,
    text: Input,
    target: Target | str | None = None,
    *,
    output: str | None = None,
    report: Report | None = None,
) -> LogitAttribution:
    """Split a logit into what each part of the model adds to it directly.

    The residual stream is a sum, and what reads it is linear once each norm's scale is held at the value that it has in
    this run. Where norms stand after the blocks (BERT, Marian, BART), each part goes on through all norms above it. What a
    part does by way of later layers counts for those. A single logit says little, since all can be shifted together: a
    difference of two ("A rather than B") says what decides between them.

    Args:
        loaded: a model whose head is linear: a language model, a tagger, a classifier of the mean token vector.
        text: what it reads: a text, or each of the columns that its task reads.
        target: what is explained, or the name of a class, token or phrase; what the model predicts where None. A phrase alone
            counts as its tokens' logits.
        output: for a model that writes, the text that is explained as if it had written it; its own where None.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, the model has no head, its head is not linear or reads another layer than the last,
            or the parts do not add up.
        OptionError: the parts of the model are not known.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    outputs = None if output is None else [output]
    asked = ask(loaded, [text], [target], outputs, report=Part(report, 0.0, _ASKED))[0]
    return attribute_asked_logits(loaded, asked, report=Part(report, _ASKED, 1.0))


def attribute_asked_logits(loaded: LoadedModel, asked: Asked, *, report: Report | None = None) -> LogitAttribution:
    """Split the logit of a text that was read; arguments and errors are those of `attribute_logits`."""
    import torch

    report = report or Silent()
    twin = replace(loaded, model=loaded.twin())
    every = components(twin.model)
    parts = [part for part in every if part.stack == every[-1].stack and part.kind != "neurons"]
    last = next((p for p in parts if p.kind == "normed"), next(p for p in reversed(parts) if p.kind == "residual"))
    few = read_where_written(twin, [asked.reading])
    check_room(loaded, len(asked.reading), read=read_count(twin, [asked.reading]), kept=COPIES * len(parts))
    # The whole model runs for its parts, and twice more for its head: at the last vectors, and at none.
    with layer_steps(twin.model, Part(report, 0.0, _RUN), "Taking the logit apart", passes=RUNS):
        with torch.no_grad(), record(twin.model, parts) as kept:
            run_tokens(twin, [asked.reading], **few)
            values = {part: kept[part][0].double() for part in parts}
        value, direction, rest = _head_direction(twin, asked, last, values[last])
    shares = walk_back(twin.model, values, direction, report=Part(report, _RUN, 1.0))
    shares.append(Share(HEAD_BIAS, 0, 0, _only(rest, len(direction))))
    scores = torch.stack([share.scores for share in shares]).cpu().numpy()
    error = abs(float(scores.sum()) - value)
    if not error <= TOLERANCE * max(1.0, abs(value), float(np.abs(scores.sum(axis=1)).max())):
        raise InputError(f"The parts of {loaded.ref} miss its output by {error:.2g}: choose another model.")
    tokens = asked.reading.tokens.tokens[len(asked.reading) - len(direction) :]
    return LogitAttribution(
        parts=_frame(shares, scores.sum(axis=1)),
        scores=scores.astype(np.float32),
        tokens=tokens,
        text_tokens=asked.reading.tokens,
        target=asked.target,
        value=value,
        error=error,
        output=asked.output,
        fingerprint=fingerprint(loaded.fingerprint, asked.reading.tokens.ids.tolist(), str(asked.target), "logits"),
        asked=asked,
    )


def _head_direction(
    twin: LoadedModel, asked: Asked, last: Component, states: "torch.Tensor"
) -> "tuple[float, torch.Tensor, float]":
    """Return the value, the direction in which the head reads the last vectors, and what it adds by itself.

    Raises:
        InputError: the head is not linear, or does not read the last layer.
    """
    import torch

    found = _head_function(twin, asked, last)
    leaf = states.float().requires_grad_(True)
    with torch.enable_grad():
        out = found(leaf)
        if not out.requires_grad:
            raise InputError(f"The head of {twin.ref} does not read its last layer: choose another model.")
        direction = torch.autograd.grad(out, leaf)[0].double()
    with torch.no_grad():
        rest = float(found(torch.zeros_like(leaf)))
    value = float(out.detach())
    missed = abs(float((direction * states).sum()) + rest - value)
    if missed > TOLERANCE * max(1.0, abs(value), abs(rest)):
        raise InputError(
            f"The head of {twin.ref} is not linear, so that its parts have no shares that add up: choose a model that "
            "writes, tags, or classifies the mean token vector, or another method."
        )
    return value, direction, rest


def _head_function(twin: LoadedModel, asked: Asked, last: Component) -> "Callable[[torch.Tensor], torch.Tensor]":
    task = load_task(twin.task).adapted(twin.model.config)
    target, few = asked.target, read_where_written(twin, [asked.reading])
    (reading,) = among_read(twin, [asked.reading])

    def found(states: "torch.Tensor") -> "torch.Tensor":
        with replaced(twin.model, last, lambda _: states[None]):
            out = run_tokens(twin, [asked.reading], **few)
        if target.kind == "phrase" and not target.against:
            numbers = reading.written.within(target.start, target.end)
            logits: torch.Tensor = out.logits[0, reading.written.at[numbers], reading.written.ids[numbers]]
            return logits.sum()
        value: torch.Tensor = task.objective(twin, out, reading, target)[0]
        return value

    return found


def _only(value: float, tokens: int) -> "torch.Tensor":
    """Return what stands at no token of its own, spread over all."""
    import torch

    return torch.full((tokens,), value / tokens, dtype=torch.float64)


def _frame(shares: list[Share], scores: np.ndarray) -> pd.DataFrame:
    rows: list[Mapping[str, Any]] = [
        {"name": share.name, "kind": share.kind, "layer": share.layer, "head": share.head, "score": score}
        for share, score in zip(shares, scores.tolist(), strict=True)
    ]
    return pd.DataFrame(rows)
