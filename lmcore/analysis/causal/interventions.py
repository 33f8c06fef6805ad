"""Running a text many times, each time with something else in the place of what one part of the model gives."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.parity import check_parity
from lmcore.analysis.room import check_room, fitting_batch
from lmcore.analysis.runs import among_read, read_count, read_where_written, run_tokens, target_values
from lmcore.models.components import Component, components, record
from lmcore.models.components import replace as replaced
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.types import Report, Target

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 32
_LOGIT_BYTES = 256 << 20
_BATCH_TOKENS = 4096
_COPIES = 3  # of what parts gave: the run's own, what is kept of it, and the same of another text


@dataclass(frozen=True, slots=True)
class Cell:
    """One change of one run.

    Attributes:
        parts: what is changed, in one run; the blocks of a layer can be changed together.
        position: the token of the parts' stack at which they are; -1 for all tokens.
        head: counted from 0; -1 for all, and for parts that are no heads.
    """

    parts: tuple[Component, ...]
    position: int = -1
    head: int = -1


def twin_of(loaded: LoadedModel) -> LoadedModel:
    """Return the model as one whose modules can be hooked without anybody else meeting it; the weights are shared."""
    return replace(loaded, model=loaded.twin())


def parts_of(loaded: LoadedModel, kind: Any, stack: str = "") -> tuple[Component, ...]:
    """Return a model's parts of one kind, layer by layer.

    Args:
        loaded: the model.
        kind: one of the kinds of `lmcore.models.components`.
        stack: one stack alone; all where empty.

    Raises:
        OptionError: it has none, or its parts are not known.
    """
    from lmcore.errors import OptionError

    found = components(loaded.model, kind, stack=stack or None)
    if not found:
        known = sorted({part.stack for part in components(loaded.model, "mlp")})
        where = f" in its {stack}" if stack else ""
        raise OptionError(
            f"{loaded.ref} has no {kind.replace('_', '-')}{where}: it has {' and '.join(known)}; choose another part."
        )
    return found


def stack_tokens(reading: Reading, stack: str) -> range:
    """Return which tokens of a reading a stack reads."""
    if stack == "decoder":
        return range(reading.first, len(reading))
    return range(reading.first)


def recorded(
    twin: LoadedModel, reading: Reading, parts: Sequence[Component], target: Target
) -> "tuple[dict[Component, torch.Tensor], float]":
    """Run a text and return what parts gave, each of shape (tokens, …), and the target's value.

    Raises:
        InputError: the model answers otherwise with hooks on its parts.
        ResourceError: what they give would not fit into memory.
    """
    import torch

    check_room(twin, len(reading), read=read_count(twin, [reading]), kept=_COPIES * len(parts))
    with torch.inference_mode():
        few = read_where_written(twin, [reading])
        plain = run_tokens(twin, [reading], **few)
        with record(twin.model, parts) as kept:
            out = run_tokens(twin, [reading], **few)
        name = "logits" if "logits" in plain else "start_logits" if "start_logits" in plain else "last_hidden_state"
        check_parity(twin, plain[name], out[name], "hooks on its parts")
        values = {part: kept[part][0].clone() for part in parts}
    return values, float(target_values(twin, out, among_read(twin, [reading]), [target])[0])


def run_cells(
    twin: LoadedModel,
    reading: Reading,
    seen: Reading,
    target: Target,
    cells: Sequence[Cell],
    sources: "Mapping[Component, torch.Tensor]",
    *,
    batch_size: int = BATCH_SIZE,
    report: Report,
) -> np.ndarray:
    """Run a text once for each cell, with a source's values in the cell's place.

    Args:
        twin: a twin of the model, which nobody else runs.
        reading: the text that is run.
        seen: the reading in which the target has its place.
        target: what is measured.
        cells: what is changed in each run.
        sources: what is put in, for each part: shape (tokens, …), or (1, …) for the same at every token.
        batch_size: runs in one pass; fewer where the outputs would be large.
        report: progress and cancellation.

    Returns:
        The target's value in each run, float64 of shape (cells,).

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    at_once = max(1, min(batch_size, _LOGIT_BYTES // _output_bytes(twin, seen), _BATCH_TOKENS // len(reading)))
    at_once = fitting_batch(twin, len(reading), at_once, read=read_count(twin, [seen]))
    values: list[np.ndarray] = []
    for start in range(0, len(cells), at_once):
        report.check()
        own = cells[start : start + at_once]
        with torch.inference_mode(), _changed(twin.model, own, sources):
            out = run_tokens(twin, [reading] * len(own), **read_where_written(twin, [seen]))
            values.append(target_values(twin, out, among_read(twin, [seen]) * len(own), [target] * len(own)))
        done = start + len(own)
        report.progress(done / len(cells), f"{done} of {len(cells)} runs")
    return np.concatenate(values) if values else np.zeros(0)


def _output_bytes(twin: LoadedModel, seen: Reading) -> int:
    head = twin.model.get_output_embeddings()
    width = len(twin.labels) or 1 if head is None else int(head.weight.shape[0])
    return 4 * width * (read_count(twin, [seen]) or len(seen))


@contextmanager
def _changed(model: Any, cells: Sequence[Cell], sources: "Mapping[Component, torch.Tensor]") -> Iterator[None]:
    """Hold each cell's change in its own row of a batch."""
    rows: dict[Component, list[tuple[int, Cell]]] = {}
    for row, cell in enumerate(cells):
        for part in cell.parts:
            rows.setdefault(part, []).append((row, cell))
    with ExitStack() as stack:
        for part, own in rows.items():
            stack.enter_context(replaced(model, part, _editor(own, sources[part])))
        yield


def _editor(rows: Sequence[tuple[int, Cell]], source: "torch.Tensor") -> Any:
    def edit(values: "torch.Tensor") -> "torch.Tensor":
        changed = values.clone()
        for row, cell in rows:
            tokens = slice(None) if cell.position < 0 else slice(cell.position, cell.position + 1)
            given = source if cell.position < 0 or len(source) == 1 else source[tokens]
            if cell.head < 0:
                changed[row, tokens] = given
            else:
                changed[row, tokens, cell.head] = given[:, cell.head]
        return changed

    return edit
