"""Ablation: how far the output moves when a part of the model is taken out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.causal.interventions import BATCH_SIZE, Cell, parts_of, recorded, run_cells, stack_tokens, twin_of
from lmcore.analysis.causal.methods import ABLATED, ABLATIONS
from lmcore.analysis.causal.reference import joined, read_all, token_values
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Part, Report, Silent, Target

if TYPE_CHECKING:
    import torch

DRAWS = 5
MAX_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Ablation:
    """What the output is without each part.

    Attributes:
        cells: ``stack``, ``layer`` (0 for a token's embedding), ``head`` (from 1; 0 where it is none), ``position`` (in
            what is read; -1 for all tokens), ``token``, ``value`` (the target's, without the part), ``change`` (that less
            ``value`` of the whole model: negative where the part speaks for the target) and ``spread`` (standard deviation
            over the draws).
        text_tokens: everything that is read.
        value: the target's value with everything in place, in logits (nats for a phrase).
        part: what was taken out.
        method: what was put in its place.
        target: what is measured.
        output: what the model wrote, or is taken to have written.
        runs: how often the model ran over the text.
        parameters: every option.
        fingerprint: hash of weights, text, reference, target and parameters.
    """

    cells: pd.DataFrame
    text_tokens: TextTokens
    value: float
    part: str
    method: str
    target: Target
    output: str
    runs: int
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the cells."""
        return self.cells

    def strongest(self, number: int) -> pd.DataFrame:
        """Return the parts without which the output moves most, either way."""
        return self.cells.loc[self.cells["change"].abs().sort_values(ascending=False).index[:number]]


def ablate(
    loaded: LoadedModel,
    text: Input,
    target: Target | None = None,
    *,
    part: str = "heads",
    method: str = "mean",
    reference: Sequence[Input] | None = None,
    output: str | None = None,
    stack: str = "",
    draws: int = DRAWS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Ablation:
    """Take parts of a model out, one at a time, and see how far the target's value moves.

    It costs one run for each part (with ``resample`` ``draws`` times as many), and one over each reference text. Zero is
    far from anything that the layers above ever see; the mean and draws keep to what is usual.

    Args:
        loaded: a model with a head.
        text: what it reads.
        target: what is measured; what the model predicts where None.
        part: one of ABLATED.
        method: one of ABLATIONS: ``zero``, ``mean`` or ``resample``.
        reference: texts for the mean and the draws; the text itself where None.
        output: for a model that writes, what it is taken to have written; its own where None.
        stack: ``encoder`` or ``decoder`` alone; all where empty.
        draws: how often ``resample`` draws for each part.
        seed: of the draws.
        batch_size: runs in one pass.
        report: progress and cancellation.

    Raises:
        InputError: a text is empty, or the model says something else with hooks on its parts.
        UnknownError: there is no such part, method or class.
        OptionError: the model has no such part, or a number is out of range.
        Cancelled: the report asked to stop.
    """
    ABLATED[part], ABLATIONS[method]
    if not 1 <= draws <= MAX_DRAWS:
        raise OptionError(f"The number of draws is {draws}: give 1 to {MAX_DRAWS}.")
    report = report or Silent()
    asked = ask(loaded, [text], [target], None if output is None else [output])[0]
    twin = twin_of(loaded)
    cells = _cells(twin, part, stack, asked.reading)
    parts = list(dict.fromkeys(each for cell in cells for each in cell.parts))
    own, value = recorded(twin, asked.reading, parts, asked.target)
    others = [own] if reference is None else []
    if reference is not None and method != "zero":
        others = token_values(twin, read_all(loaded, reference), parts, Part(report, 0.0, 0.2))
    rounds = draws if method == "resample" else 1
    rest = Part(report, 0.2, 1.0)
    found = [
        run_cells(
            twin, asked.reading, asked.reading, asked.target, cells, sources, batch_size=batch_size,
            report=Part(rest, number / rounds, (number + 1) / rounds),
        )
        for number, sources in enumerate(_rounds(own, others, method, rounds, seed))
    ]  # fmt: skip
    parameters = {"part": part, "method": method, "stack": stack, "draws": rounds, "seed": seed}
    return Ablation(
        cells=_frame(cells, asked.reading, np.stack(found), value),
        text_tokens=asked.reading.tokens,
        value=value,
        part=part,
        method=method,
        target=asked.target,
        output=asked.output,
        runs=rounds * len(cells) + 3,
        parameters=parameters,
        fingerprint=fingerprint(
            loaded.fingerprint, asked.reading.tokens.ids.tolist(), str(asked.target), parameters,
            [str(text) for text in reference or ()],
        ),
    )  # fmt: skip


def _cells(twin: LoadedModel, part: str, stack: str, reading: Reading) -> list[Cell]:
    if part == "tokens":
        inputs = parts_of(twin, "embedding", stack)
        return [Cell((each,), place) for each in inputs for place in range(len(stack_tokens(reading, each.stack)))]
    if part == "layers":
        blocks = [*parts_of(twin, "attention", stack), *parts_of(twin, "mlp", stack)]
        blocks += [p for p in _all(twin, stack) if p.kind == "cross_attention"]
        places = dict.fromkeys((each.stack, each.layer) for each in blocks)
        return [Cell(tuple(each for each in blocks if (each.stack, each.layer) == place)) for place in places]
    found = parts_of(twin, part, stack)
    return [
        cell
        for each in found
        for cell in ([Cell((each,), head=head) for head in range(each.heads)] if each.heads else [Cell((each,))])
    ]


def _all(twin: LoadedModel, stack: str) -> tuple[Component, ...]:
    from lmcore.models.components import components

    return components(twin.model, stack=stack or None)


def _rounds(
    own: "Mapping[Component, torch.Tensor]",
    others: "Sequence[Mapping[Component, torch.Tensor]]",
    method: str,
    rounds: int,
    seed: int,
) -> "Iterator[dict[Component, torch.Tensor]]":
    """Yield for each round what is put in the place of each part."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield {each: _source(each, values, others, method, rng) for each, values in own.items()}


def _source(
    part: Component,
    own: "torch.Tensor",
    others: "Sequence[Mapping[Component, torch.Tensor]]",
    method: str,
    rng: np.random.Generator,
) -> "torch.Tensor":
    """Return what is put in the place of a part, shape (tokens, …) or (1, …)."""
    if method == "zero":
        zeros: torch.Tensor = own.new_zeros((1, *own.shape[1:]))
        return zeros
    values = joined(others, part)
    if method == "mean":
        mean: torch.Tensor = values.mean(dim=0, keepdim=True)
        return mean
    drawn: torch.Tensor = values[rng.integers(len(values), size=len(own)).tolist()]
    return drawn


def _frame(cells: Sequence[Cell], reading: Reading, values: np.ndarray, plain: float) -> pd.DataFrame:
    rows: list[Mapping[str, Any]] = []
    for cell, value, spread in zip(cells, values.mean(axis=0).tolist(), values.std(axis=0).tolist(), strict=True):
        each = cell.parts[0]
        place = stack_tokens(reading, each.stack)[cell.position] if cell.position >= 0 else -1
        rows.append(
            {
                "stack": each.stack,
                "layer": each.layer,
                "head": cell.head + 1,
                "position": place,
                "token": reading.tokens.tokens[place] if place >= 0 else "",
                "value": value,
                "change": value - plain,
                "spread": spread,
            }
        )
    return pd.DataFrame(rows)
