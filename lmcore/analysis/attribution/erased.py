"""What a target is worth where some of a text is taken away: blanked by another token, or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.attribution.methods import DROP
from lmcore.analysis.attribution.quantities import Quantity
from lmcore.analysis.attribution.units import Units
from lmcore.analysis.runs import run_tokens
from lmcore.errors import OptionError
from lmcore.models.link_value import linked_places
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading, Written
from lmcore.models.text_tokens import TextTokens
from lmcore.tasks.links import LinkName
from lmcore.types import Target

BATCH_TOKENS = 4096
_BATCH_NUMBERS = 40_000_000


@dataclass(frozen=True, eq=False)
class Erasing:
    """Says what texts are worth without some of their units; see `lmcore.analysis.attribution.games.Values`.

    Attributes:
        loaded: the model.
        asked: the texts.
        units: those of each.
        blank: one of `lmcore.analysis.attribution.methods.BLANKS`.
        quantity: what is read of the model's output.
    """

    loaded: LoadedModel
    asked: Sequence[Asked]
    units: Sequence[Units]
    blank: str
    quantity: Quantity

    def __call__(self, numbers: np.ndarray, kept: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the values of rows, run in batches of like length."""
        import torch

        variants = [self._variant(int(n), row) for n, row in zip(numbers, kept, strict=True)]
        found: list[np.ndarray] = [np.empty(0)] * len(variants)
        lengths = np.array([len(variant) for variant in variants])
        order = np.argsort(-lengths, kind="stable")
        room = batch_tokens(self.loaded)
        while len(order):
            rows, order = np.split(order, [max(1, room // int(lengths[order[0]]))])
            readings = [variants[row] for row in rows]
            with torch.inference_mode():
                out = run_tokens(self.loaded, readings, **self.quantity.options(readings))
                values = self.quantity.of(out, readings, [int(numbers[row]) for row in rows])
            for row, value in zip(rows, torch.stack(values, dim=1).double().cpu().numpy(), strict=True):
                found[row] = value
        return found

    def _variant(self, number: int, kept: np.ndarray) -> Reading:
        reading, units = self.asked[number].reading, self.units[number]
        away = [places for places, stays in zip(units.places, kept, strict=True) if not stays]
        if not away:
            return reading
        gone = np.zeros(len(reading), dtype=bool)
        gone[np.concatenate(away)] = True
        if self.blank != DROP:
            return blanked(reading, gone, blank_token(self.loaded.tokenizer, self.blank))
        needed = needed_places(reading, self.asked[number].target)
        return dropped(self.loaded.tokenizer, reading, gone, needed)


def needed_places(reading: Reading, target: Target) -> np.ndarray:
    """Return the tokens at which a target in the input is read: without them it has no place."""
    if target.kind == "link":
        return linked_places(reading, *(LinkName.parse(name) for name in (target.label, target.against) if name))
    if target.kind not in ("tag", "span") or not target.end:
        return np.zeros(0, dtype=np.int64)
    return reading.within(target.start, target.end, "context" if target.kind == "span" else "")


def batch_tokens(loaded: LoadedModel) -> int:
    """Return how many tokens are run at once: fewer where each has an output for every word of the vocabulary."""
    head = loaded.model.get_output_embeddings()
    outputs = 1 if head is None else int(head.weight.shape[0])
    return max(64, min(BATCH_TOKENS, _BATCH_NUMBERS // outputs))


def blank_token(tokenizer: Any, blank: str) -> int:
    """Return the token that stands for nothing; decoders without a pad token are padded with the end of a text.

    Raises:
        OptionError: the tokenizer has no such token.
    """
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    names = {"pad": pad, "mask": tokenizer.mask_token_id, "unknown": tokenizer.unk_token_id}
    if names[blank] is None:
        others = ", ".join(name for name, token in names.items() if token is not None)
        raise OptionError(f"This model's tokenizer has no {blank} token: choose another baseline ({others or 'drop'}).")
    return int(names[blank])


def blanked(reading: Reading, gone: np.ndarray, token: int) -> Reading:
    """Put another token into the places that are taken away."""
    tokens = replace(reading.tokens, ids=np.where(gone, token, reading.tokens.ids))
    return replace(reading, tokens=tokens)


def dropped(tokenizer: Any, reading: Reading, gone: np.ndarray, needed: np.ndarray) -> Reading:
    """Leave tokens out, so that what follows moves up.

    What the output is read at cannot be left out: the tokens in ``needed``, and the one token that is left before what
    was written, or of all, are blanked in place of that.
    """
    stays = np.zeros(len(reading), dtype=bool)
    stays[needed] = True
    written = reading.written
    shift = reading.first if reading.first < len(reading) else 0
    if len(written) and not (~gone[shift : shift + int(written.at.min()) + 1]).any():
        stays[shift + int(written.at.min())] = True
    if gone[: reading.first].all():
        stays[0] = True
    blank = gone & stays
    kept = ~gone | stays
    if blank.any():
        names = ("mask", "pad", "unknown")
        usable = [n for n in names if getattr(tokenizer, f"{n.replace('unknown', 'unk')}_token_id") is not None]
        if usable:
            reading = blanked(reading, blank, blank_token(tokenizer, usable[0]))
    moved = np.cumsum(kept[shift:])[written.at] - 1 if len(written) else written.at
    return replace(
        reading,
        tokens=_chosen(reading.tokens, kept),
        first=int(kept[: reading.first].sum()),
        fields={name: values[kept[: reading.first]] for name, values in reading.fields.items()},
        written=Written(written.ids, written.tokens, written.offsets, moved),
    )


def _chosen(tokens: TextTokens, kept: np.ndarray) -> TextTokens:
    names = tuple(name for name, stays in zip(tokens.tokens, kept, strict=True) if stays)
    return replace(
        tokens,
        ids=tokens.ids[kept],
        tokens=names,
        offsets=tokens.offsets[kept],
        special=tokens.special[kept],
        unknown=tokens.unknown[kept],
    )
