"""The residual stream of tokens of many texts, for training a lens: some to learn from, some held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmcore.analysis.causal.interventions import twin_of
from lmcore.analysis.causal.reference import read_all, token_values
from lmcore.analysis.lens.layer_choices import last_stack_residuals
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.types import Input, Report, Silent

if TYPE_CHECKING:
    import torch

HELD_TOKENS = 256
_SHARE = 0.2
_LEAST = 8
_TEXTS_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class LensStates:
    """Vectors of tokens at every layer.

    Attributes:
        learnt: shape (layers + 1, tokens, features), layer 0 being the embedding.
        held: the same of tokens that are only measured on.
        fingerprint: hash of the tokens.
    """

    learnt: "torch.Tensor"
    held: "torch.Tensor"
    fingerprint: str

    @property
    def layers(self) -> int:
        """The number of layers below the last."""
        return len(self.learnt) - 1


def lens_states(
    loaded: LoadedModel,
    texts: Sequence[Input],
    outputs: Sequence[str] | None,
    *,
    tokens: int,
    seed: int,
    report: Report,
) -> LensStates:
    """Run a model over texts in an order that is drawn, until there are enough tokens; a fifth of them is held out.

    Whole texts are held out, so that no token is measured on whose neighbours were learnt from; of a single text its end.

    Raises:
        InputError: there are no texts, or they have fewer than 16 tokens.
        Cancelled: the report asked to stop.
    """
    import torch

    if not texts:
        raise InputError("There are no texts to train a lens on: give some like those that are to be read.")
    twin = twin_of(loaded)
    parts = last_stack_residuals(twin)
    order = np.random.default_rng(seed).permutation(len(texts))
    pieces: list[torch.Tensor] = []
    ids: list[list[int]] = []
    count = 0
    for start in range(0, len(order), _TEXTS_AT_ONCE):
        report.check()
        rows = order[start : start + _TEXTS_AT_ONCE].tolist()
        written = None if outputs is None else [outputs[row] for row in rows]
        readings = read_all(loaded, [texts[row] for row in rows], written)
        pieces += _vectors(twin, parts, readings)
        ids += [reading.tokens.ids.tolist() for reading in readings]
        count = sum(piece.shape[1] for piece in pieces)
        report.progress(min(1.0, count / tokens), f"{count} of {tokens} tokens read by the model")
        if count >= tokens:
            break
    if count < 2 * _LEAST:
        raise InputError(f"The texts have {count} tokens, and a lens needs {2 * _LEAST} at least: give more.")
    whole = torch.cat(pieces, dim=1)
    held = _held(pieces, count)
    return LensStates(whole[:, held:][:, :tokens].clone(), whole[:, :held][:, :HELD_TOKENS].clone(), fingerprint(ids))


def _held(pieces: "Sequence[torch.Tensor]", count: int) -> int:
    """Return how many tokens, of the first texts, are held out."""
    wanted = max(_LEAST, min(HELD_TOKENS, round(_SHARE * count)))
    ends = np.cumsum([piece.shape[1] for piece in pieces])[:-1]
    whole = [int(end) for end in ends if wanted <= end <= count // 2]
    return whole[0] if whole else wanted


def _vectors(twin: LoadedModel, parts: Sequence[Component], readings: Sequence[Reading]) -> "list[torch.Tensor]":
    """Return the residual stream of each text's own tokens, shape (layers + 1, tokens, features)."""
    import torch

    found = token_values(twin, readings, parts, Silent())
    return [torch.stack([each[part].float() for part in parts]) for each in found]
