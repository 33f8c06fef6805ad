"""What a model would choose after each of its layers, if the layers above were left out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.parity import check_parity
from lmcore.analysis.room import check_room
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.models.components import Component, components, record
from lmcore.models.components import replace as replaced
from lmcore.models.load import LoadedModel
from lmcore.models.readout import Readout, readout
from lmcore.tasks import load_task
from lmcore.types import Target

if TYPE_CHECKING:
    import torch

    from lmcore.models.reading import Reading

_ROWS = 16
_COPIES = 2  # of the layers' vectors: one by one, and together
Translate = Callable[[int, "torch.Tensor"], "torch.Tensor"]
"""Takes a layer and vectors of its residual stream, shape (…, features), to where the last layer's would be."""


class LayerChoices(Protocol):
    """Logits of every layer; layer 0 is the embedding, and the last one is the model itself."""

    @property
    def layers(self) -> int:
        """The number of layers above the embedding."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """What each column shows."""
        ...

    @property
    def places(self) -> np.ndarray:
        """The token of each column; -1 for the whole text."""
        ...

    @property
    def wanted(self) -> np.ndarray:
        """The target's choice at each column; -1 where it has none."""
        ...

    @property
    def focus(self) -> np.ndarray:
        """The columns that the target is about."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether exactly one choice is made at a column."""
        ...

    @property
    def values(self) -> np.ndarray:
        """The target's value at each layer."""
        ...

    def logits(self, layer: int, start: int, end: int) -> "torch.Tensor":
        """Return the logits of one layer at some columns, shape (columns, choices)."""
        ...

    def name(self, choice: int) -> str:
        """Return what a choice is called."""
        ...


@dataclass(frozen=True, eq=False)
class TokenChoices:
    """The choices of a language head: the vocabulary, at every place of the stack that it reads."""

    states: "torch.Tensor"
    head: Readout
    tokenizer: Any
    columns: tuple[str, ...]
    places: np.ndarray
    wanted: np.ndarray
    focus: np.ndarray
    values: np.ndarray
    translate: Translate | None
    exclusive: bool = True

    @property
    def layers(self) -> int:
        """The number of layers above the embedding."""
        return len(self.states) - 1

    def logits(self, layer: int, start: int, end: int) -> "torch.Tensor":
        """Return the logits of one layer at some columns, shape (columns, choices)."""
        return self.head.logits(_moved(self.states[layer, start:end], layer, self.layers, self.translate)).float()

    def name(self, choice: int) -> str:
        """Return the text of a token."""
        from lmcore.tasks.completion import token_name

        return token_name(self.tokenizer, choice)


@dataclass(frozen=True, eq=False)
class HeadChoices:
    """The choices of a head with a fixed set of them; it was trained to read the last layer alone."""

    kept: "torch.Tensor"
    names: tuple[str, ...]
    columns: tuple[str, ...]
    places: np.ndarray
    wanted: np.ndarray
    focus: np.ndarray
    values: np.ndarray
    exclusive: bool

    @property
    def layers(self) -> int:
        """The number of layers above the embedding."""
        return len(self.kept) - 1

    def logits(self, layer: int, start: int, end: int) -> "torch.Tensor":
        """Return the logits of one layer at some columns, shape (columns, choices)."""
        return self.kept[layer, start:end].float()

    def name(self, choice: int) -> str:
        """Return a choice's name."""
        return self.names[choice]


def layer_choices(loaded: LoadedModel, asked: Asked, translate: Translate | None = None) -> LayerChoices:
    """Read every layer of a model through its own head.

    A language head is applied to the residual stream, through the final norm where there is one. For another head the
    model runs once more with each layer's vectors in the place of the last layer's.

    Args:
        loaded: a model with a head.
        asked: the text and the target.
        translate: moves a layer's vectors to where the last layer's would be, for a language head.

    Raises:
        InputError: reading the layers gives other outputs than the plain model, or the head has no choices to read.
        OptionError: the parts of the model are not known.
        ResourceError: they would not fit into memory.
    """
    import torch

    twin = replace(loaded, model=loaded.twin())
    parts = last_stack_residuals(twin)
    check_room(loaded, len(asked.reading), kept=_COPIES * len(parts))
    with torch.inference_mode():
        with record(twin.model, parts) as kept:
            out = run_tokens(twin, [asked.reading])
        states = torch.stack([kept[part][0] for part in parts])
        if loaded.model.get_output_embeddings() is not None:
            return _token_choices(loaded, asked, states, out, translate)
        return _head_choices(twin, asked, parts[-1], states, out)


def last_stack_residuals(loaded: LoadedModel) -> tuple[Component, ...]:
    """Return the residual stream of the stack that the head reads, from the embedding to the last layer.

    Raises:
        OptionError: the parts of the model are not known.
    """
    found = components(loaded.model, "residual")
    return tuple(part for part in found if part.stack == found[-1].stack)


def _token_choices(
    loaded: LoadedModel, asked: Asked, states: "torch.Tensor", out: Any, translate: Translate | None
) -> TokenChoices:
    head, reading = readout(loaded.model), asked.reading
    check_parity(loaded, out.logits[0].float(), head.logits(states[-1]).float(), "its last layer read by hand")
    places = np.arange(len(reading) - states.shape[1], len(reading))
    focus, ids = _wanted_tokens(loaded.tokenizer, reading, asked.target)
    wanted = np.full(len(places), ids[0] if len(ids) else -1, dtype=np.int64)
    wanted[focus] = ids
    return TokenChoices(
        states, head, loaded.tokenizer, tuple(reading.tokens.tokens[place] for place in places), places, wanted, focus,
        _token_values(loaded, asked, head, states, translate), translate,
    )  # fmt: skip


def _wanted_tokens(tokenizer: Any, reading: "Reading", target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Return where a target's tokens are predicted, and their ids."""
    from lmcore.tasks.phrases import token_id

    written = reading.written
    if target.kind == "token":
        return written.at[[target.start]], np.array([token_id(tokenizer, target.label)])
    numbers = written.within(target.start, target.end)
    return written.at[numbers], written.ids[numbers]


def _token_values(
    loaded: LoadedModel, asked: Asked, head: Readout, states: "torch.Tensor", translate: Translate | None
) -> np.ndarray:
    """Return the target's value by layer, from the places alone where the output's tokens are predicted."""
    from lmcore.tasks.phrases import phrase_value

    written = asked.reading.written
    near = replace(asked.reading, written=replace(written, at=np.arange(len(written))))
    values = []
    for layer, state in enumerate(states):
        own = _moved(state[written.at], layer, len(states) - 1, translate)
        logits = head.logits(own).float()[None]
        values.append(float(phrase_value(loaded.tokenizer, logits, near, asked.target)[0]))
    return np.array(values)


def _moved(states: "torch.Tensor", layer: int, layers: int, translate: Translate | None) -> "torch.Tensor":
    return states if translate is None or layer == layers else translate(layer, states)


def _head_choices(twin: LoadedModel, asked: Asked, last: Component, states: "torch.Tensor", out: Any) -> HeadChoices:
    import torch

    task = load_task(twin.task).adapted(twin.model.config)
    pieces, values = [], []
    for start in range(0, len(states), _ROWS):
        rows = states[start : start + _ROWS]
        readings, targets = [asked.reading] * len(rows), [asked.target] * len(rows)
        with replaced(twin.model, last, lambda _, rows=rows: rows):  # type: ignore[misc]
            again = run_tokens(twin, readings)
        pieces.append(task.outcomes(twin, again, asked.reading, asked.target).logits)
        values.append(target_values(twin, again, readings, targets))
    found = task.outcomes(twin, out, asked.reading, asked.target)
    kept = torch.cat(pieces)
    check_parity(twin, found.logits[0], kept[-1], "its last layer read by hand")
    focus = np.flatnonzero(found.wanted >= 0)
    return HeadChoices(
        kept, found.choices, found.columns, found.places, found.wanted, focus, np.concatenate(values), found.exclusive
    )
