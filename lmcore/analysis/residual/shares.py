"""What each part contributes to a sum of vectors: to the residual stream after each block, and to any sum."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import Asked, ask, check_output
from lmcore.analysis.room import check_room
from lmcore.analysis.runs import read_count, read_where_written, run_tokens
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component, components, head_outputs, projection_bias, record
from lmcore.models.layer_steps import layer_steps
from lmcore.models.layouts import layout_of
from lmcore.models.load import LoadedModel
from lmcore.models.stacks import find_stacks
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Part, Report, Silent, Target, count_of

if TYPE_CHECKING:
    import torch

STREAM = "stream"
COPIES = 1  # of what each part gave
_ASKED, _READ = 0.2, 0.4  # of the way: what is read is known; and of the rest: it was read


@dataclass(frozen=True, eq=False)
class StreamShares:
    """Of what the residual stream consists after each block, token by token.

    Attributes:
        shares: ``layer`` (from 1), ``block`` (attention, cross_attention, mlp), ``part`` (``stream``: what came in; ``head 1``
            …; ``bias``; ``mlp``), ``position`` (in the stack), ``token`` and ``share``, 0 to 1; those of one block and token
            sum to 1, or are all 0 where no part brings the stream nearer to what it becomes.
        text_tokens: everything that is read.
        output: what the model wrote, or is taken to have written.
        fingerprint: hash of weights and tokens.
        asked: the text as it was read, with what is predicted of it.
    """

    shares: pd.DataFrame
    text_tokens: TextTokens
    output: str
    fingerprint: str
    asked: Asked

    def to_frame(self) -> pd.DataFrame:
        """Return the shares."""
        return self.shares


def part_contributions(parts: Any, total: Any = None, *, order: int = 2) -> np.ndarray:
    """Return how much each part of a sum of vectors contributes to it (Ferrando et al. 2022).

    A part contributes by how much nearer it brings the sum: the sum's length less its distance from the part, and nothing where
    that is below 0. These are scaled to sum to 1.

    Args:
        parts: shape (parts, …, features).
        total: their sum, shape (…, features); added up where None.
        order: of the lengths: 2 for Euclidean ones, 1 for sums of absolute values, as the authors have it.

    Returns:
        0 to 1, float64 of shape (parts, …); all 0 where no part brings the sum nearer.

    Raises:
        InputError: the shapes do not fit each other, or a value is not finite.
        OptionError: the order is neither 1 nor 2.
    """
    if order not in (1, 2):
        raise OptionError(f"The order of the lengths is {order!r}: give 1 or 2.")
    each = np.asarray(parts, dtype=np.float64)
    if each.ndim < 2 or not len(each):
        raise InputError(f"The parts have the shape {each.shape}: give (parts, …, features).")
    whole = each.sum(axis=0) if total is None else np.asarray(total, dtype=np.float64)
    if whole.shape != each.shape[1:]:
        raise InputError(f"The total has the shape {whole.shape}: give {each.shape[1:]}, as the parts have.")
    if not (np.isfinite(each).all() and np.isfinite(whole).all()):
        raise InputError("A part or the total has a value that is not finite: give finite numbers.")
    nearer = np.clip(_length(whole, order) - _length(whole - each, order), 0.0, None)
    scale = nearer.sum(axis=0)
    shares: np.ndarray = np.divide(nearer, scale, out=np.zeros_like(nearer), where=scale > 0)
    return shares


def _length(vectors: np.ndarray, order: int) -> np.ndarray:
    found: np.ndarray = np.linalg.norm(vectors, ord=order, axis=-1)
    return found


def stream_contributions(
    loaded: LoadedModel, text: Input, *, output: str | None = None, report: Report | None = None
) -> StreamShares:
    """Say of what the residual stream consists after each block: what came in, each head, the MLP.

    The stack that the head reads is looked at; where norms stand after the blocks, the sums before them are.

    Args:
        loaded: a model with a head, whose parts are known.
        text: what it reads: a text, or each of the columns that its task reads.
        output: for a model that writes, the text that is explained as if it had written it; its own where None.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, the model has no head, or an output is given to one that writes nothing.
        OptionError: the parts of the model are not known.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    outputs = None if output is None else [output]
    if loaded.task:  # that it has none is said first
        check_output(loaded, output)
    whole = None if output is None else [Target("phrase")]  # the model is not asked to write what is given
    asked = ask(loaded, [text], whole, outputs, report=Part(report, 0.0, _ASKED))[0]
    return asked_contributions(loaded, asked, report=Part(report, _ASKED, 1.0))


def asked_contributions(loaded: LoadedModel, asked: Asked, *, report: Report | None = None) -> StreamShares:
    """Say the same of a text that was read; arguments and errors are those of `stream_contributions`."""
    import torch

    report = report or Silent()
    twin = replace(loaded, model=loaded.twin())
    every = components(twin.model)
    parts = [part for part in every if part.stack == every[-1].stack and part.kind not in ("neurons", "normed")]
    check_room(loaded, len(asked.reading), read=read_count(twin, [asked.reading]), kept=COPIES * len(parts))
    with torch.inference_mode(), record(twin.model, parts) as kept:
        with layer_steps(twin.model, Part(report, 0.0, _READ), "Reading the stream"):
            run_tokens(twin, [asked.reading], **read_where_written(twin, [asked.reading]))
        values: dict[tuple[str, int], tuple[Component, torch.Tensor]] = {
            (part.kind, part.layer): (part, kept[part].float()) for part in parts
        }
        frames = list(_frames(twin.model, parts[-1].stack, values, Part(report, _READ, 1.0)))
    tokens = asked.reading.tokens.tokens
    shares = pd.concat(frames, ignore_index=True)
    own = np.array(tokens[len(tokens) - 1 - int(shares["position"].max()) :], dtype=object)
    shares.insert(4, "token", own[shares["position"].to_numpy()])
    digits = fingerprint(loaded.fingerprint, asked.reading.tokens.ids.tolist(), "stream shares")
    return StreamShares(shares, asked.reading.tokens, asked.output, digits, asked)


def _frames(
    model: Any, name: str, values: "Mapping[tuple[str, int], tuple[Component, torch.Tensor]]", report: Report
) -> Iterator[pd.DataFrame]:
    layout = layout_of(str(model.base_model.config.model_type))[name]
    stack = next(each for each in find_stacks(model.base_model) if each.name == name)
    blocks = [("attention", "heads", layout.attention_norm), ("mlp", "", layout.mlp_norm)]
    if layout.cross:
        blocks.insert(1, ("cross_attention", "cross_heads", layout.cross_norm))
    for number, layer in enumerate(stack.layers, 1):
        stream = values["residual", number - 1][1]
        for place, (block, heads, norm) in enumerate(blocks, 1):
            report.check()
            total = stream + values[block, number][1]
            parts = {STREAM: stream, **(_heads(model, *values[heads, number]) if heads else {block: total - stream})}
            yield _frame(number, block, {part: found[0] for part, found in parts.items()}, total[0])
            done = (number - 1 + place / len(blocks)) / len(stack)
            report.progress(done, f"Adding up the stream: {number} of {count_of(len(stack), 'layer')}")
            stream = total if layout.before else layer.get_submodule(norm)(total)


def _heads(model: Any, part: Component, values: "torch.Tensor") -> "dict[str, torch.Tensor]":
    """Return what each head of a block adds, and what its projection adds besides."""
    added = head_outputs(model, part, values)
    found = {f"head {head + 1}": added[:, :, head] for head in range(part.heads)}
    bias = projection_bias(model, part)
    return found if bias is None else {**found, "bias": bias.expand_as(added[:, :, 0])}


def _frame(layer: int, block: str, parts: "Mapping[str, torch.Tensor]", total: "torch.Tensor") -> pd.DataFrame:
    stacked = np.stack([values.double().cpu().numpy() for values in parts.values()])
    shares = part_contributions(stacked, total.double().cpu().numpy())
    part, position = np.indices(shares.shape)
    names = np.array(list(parts), dtype=object)[part.ravel()]
    return pd.DataFrame(
        {"layer": layer, "block": block, "part": names, "position": position.ravel(), "share": shares.ravel()}
    )
