"""Activation patching: which part of a model carries what tells two texts apart (Meng et al. 2022; Wang et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.causal.interventions import BATCH_SIZE, Cell, parts_of, recorded, run_cells, stack_tokens, twin_of
from lmcore.analysis.causal.methods import PATCHING
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading, read_row
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Part, Report, Silent, Target

Direction = Literal["denoise", "noise"]
DIRECTIONS: tuple[Direction, ...] = ("denoise", "noise")
_WEAK = 0.05


@dataclass(frozen=True, eq=False)
class Patching:
    """What comes of putting parts of one text's run into another's.

    Attributes:
        cells: ``stack``, ``layer``, ``head`` (from 1; 0 where it is none), ``position`` (in what is read; -1 for all
            tokens), ``clean_token`` and ``corrupted_token`` there, ``value`` (the target's, with the patch) and
            ``effect``: (value − corrupted) / (clean − corrupted), so 1 is as in the clean text and 0 as in the corrupted
            one, in either direction.
        clean: the clean text, as it is read.
        corrupted: the corrupted text.
        clean_value: the target's value for the clean text, in logits (nats for a phrase).
        corrupted_value: the same for the corrupted text.
        component: what was patched.
        direction: ``denoise`` puts parts of the clean run into the corrupted one, ``noise`` the other way.
        target: what is measured.
        output: what the model wrote, or is taken to have written, for both.
        runs: how often the model ran.
        fingerprint: hash of weights, both texts, target and parameters.
    """

    cells: pd.DataFrame
    clean: TextTokens
    corrupted: TextTokens
    clean_value: float
    corrupted_value: float
    component: str
    direction: Direction
    target: Target
    output: str
    runs: int
    fingerprint: str

    @property
    def gap(self) -> float:
        """How far the two texts are apart: the clean value less the corrupted one."""
        return self.clean_value - self.corrupted_value

    @property
    def weak(self) -> bool:
        """Whether both texts have about the same value, so that effects, which are shares of the gap, say little."""
        return abs(self.gap) < _WEAK * max(1.0, abs(self.clean_value), abs(self.corrupted_value))

    def to_frame(self) -> pd.DataFrame:
        """Return the cells."""
        return self.cells

    def grid(self, stack: str = "", values: str = "effect") -> np.ndarray:
        """Return one stack's effects (or raw ``value``), shape (layers, tokens) or, of heads, (layers, heads).

        Raises:
            OptionError: there is no such stack.
        """
        stacks = list(dict.fromkeys(self.cells["stack"]))
        if stack and stack not in stacks:
            raise OptionError(f"There is no stack {stack}: take {' or '.join(stacks)}.")
        own = self.cells[self.cells["stack"] == (stack or stacks[-1])]
        column = "head" if (own["head"] > 0).any() else "position"
        return own.pivot(index="layer", columns=column, values=values).to_numpy()


def patch_activations(
    loaded: LoadedModel,
    clean: Input,
    corrupted: Input,
    target: Target | str | None = None,
    *,
    component: str = "residual",
    direction: Direction = "denoise",
    output: str | None = None,
    stack: str = "",
    layers: Sequence[int] | None = None,
    whole: bool = False,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> Patching:
    """Put what parts give for one text into the run of another, one at a time, and see how far the output follows.

    It costs one run for each cell, which `patch_runs` counts: layers × tokens, or layers × heads. The texts must have
    the same number of tokens, so that each has its counterpart.

    Args:
        loaded: a model with a head.
        clean: the text that the target is about.
        corrupted: the same with something else in it.
        target: what is measured, best "A rather than B"; what the model predicts for the clean text where None.
        component: one of PATCHING.
        direction: ``denoise`` asks what is enough to bring the clean output back, ``noise`` what is needed for it.
        output: for a model that writes, what it is taken to have written for both; its own for the clean text where None.
        stack: ``encoder`` or ``decoder`` alone; all where empty.
        layers: these alone, from 0 (the embedding) for ``residual`` and else from 1; all where None.
        whole: patch all tokens of a layer at once; heads are always patched so.
        batch_size: runs in one pass.
        report: progress and cancellation.

    Raises:
        InputError: a text is empty, the texts have different numbers of tokens, or hooks change what the model says.
        UnknownError: there is no such component or class.
        OptionError: the model has no such part or layer, or the direction is another word.
        Cancelled: the report asked to stop.
    """
    PATCHING[component]
    if direction not in DIRECTIONS:
        raise OptionError(f"The direction is {direction!r}: take denoise or noise.")
    asked = ask(loaded, [clean], [target], None if output is None else [output])[0]
    base = asked.reading
    other = _counterpart(base, read_row(loaded.widest, corrupted, output=asked.output))
    twin = twin_of(loaded)
    parts = _chosen(parts_of(twin, component, stack), layers)
    cells = _cells(parts, base, whole)
    given, clean_value = recorded(twin, base, parts, asked.target)
    theirs, corrupted_value = recorded(twin, other, parts, asked.target)
    run, sources = (other, given) if direction == "denoise" else (base, theirs)
    rest = Part(report or Silent(), 0.05, 1.0)
    values = run_cells(twin, run, base, asked.target, cells, sources, batch_size=batch_size, report=rest)
    parameters = {"component": component, "direction": direction, "stack": stack, "whole": whole}
    return Patching(
        cells=_frame(cells, base.tokens, other.tokens, values, clean_value, corrupted_value),
        clean=base.tokens,
        corrupted=other.tokens,
        clean_value=clean_value,
        corrupted_value=corrupted_value,
        component=component,
        direction=direction,
        target=asked.target,
        output=asked.output,
        runs=len(cells) + 4,
        fingerprint=fingerprint(
            loaded.fingerprint, base.tokens.ids.tolist(), other.tokens.ids.tolist(), str(asked.target), parameters,
            [part.layer for part in parts],
        ),
    )  # fmt: skip


def patch_runs(
    loaded: LoadedModel,
    clean: Input,
    *,
    component: str = "residual",
    output: str = "",
    stack: str = "",
    whole: bool = False,
) -> int:
    """Return how often the model will run, without running it; see `patch_activations`.

    Raises:
        InputError: the text is empty.
        OptionError: the model has no such part.
    """
    PATCHING[component]
    return len(_cells(parts_of(loaded, component, stack), read_row(loaded.widest, clean, output=output), whole)) + 4


def _counterpart(clean: Reading, corrupted: Reading) -> Reading:
    """Return the corrupted reading with the places of the clean one.

    Raises:
        InputError: their tokens do not stand opposite each other.
    """
    counts = (len(clean), len(corrupted))
    if counts[0] != counts[1] or clean.first != corrupted.first:
        raise InputError(
            f"The clean text has {counts[0]} tokens and the corrupted one {counts[1]}: give two texts whose tokens stand "
            "opposite each other, by words of as many tokens."
        )
    if not np.array_equal(clean.written.at, corrupted.written.at):
        raise InputError("The two texts have their gaps at different tokens: give two in which they stand at the same.")
    return replace(corrupted, written=clean.written)


def _chosen(parts: tuple[Component, ...], layers: Sequence[int] | None) -> tuple[Component, ...]:
    if layers is None:
        return parts
    known = sorted({part.layer for part in parts})
    unknown = sorted(set(layers) - set(known))
    if unknown or not layers:
        raise OptionError(f"There is no layer {unknown[0] if unknown else 'named'}: take {known[0]} to {known[-1]}.")
    return tuple(part for part in parts if part.layer in layers)


def _cells(parts: Sequence[Component], reading: Reading, whole: bool) -> list[Cell]:
    found = []
    for part in parts:
        if part.heads:
            found += [Cell((part,), head=head) for head in range(part.heads)]
        elif whole:
            found.append(Cell((part,)))
        else:
            found += [Cell((part,), position=place) for place in range(len(stack_tokens(reading, part.stack)))]
    return found


def _frame(
    cells: Sequence[Cell], clean: TextTokens, corrupted: TextTokens, values: np.ndarray, high: float, low: float
) -> pd.DataFrame:
    decoder_tokens = 1 + max((cell.position for cell in cells if cell.parts[0].stack == "decoder"), default=-1)
    gap = high - low
    rows: list[Mapping[str, Any]] = []
    for cell, value in zip(cells, values.tolist(), strict=True):
        part = cell.parts[0]
        shift = len(clean.ids) - decoder_tokens if part.stack == "decoder" else 0
        place = cell.position + shift if cell.position >= 0 else -1
        rows.append(
            {
                "stack": part.stack,
                "layer": part.layer,
                "head": cell.head + 1,
                "position": place,
                "clean_token": clean.tokens[place] if place >= 0 else "",
                "corrupted_token": corrupted.tokens[place] if place >= 0 else "",
                "value": value,
                "effect": (value - low) / gap if gap else 0.0,
            }
        )
    return pd.DataFrame(rows)
