"""What parts of a model give for reference texts: whole, token by token."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lmcore.analysis.causal.interventions import stack_tokens
from lmcore.analysis.room import fitting_batch
from lmcore.analysis.runs import run_tokens
from lmcore.errors import InputError
from lmcore.models.components import Component, record
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.models.reading import Reading, read_row
from lmcore.types import Input, Report

if TYPE_CHECKING:
    import torch

_TEXTS_AT_ONCE = 4


def read_all(loaded: LoadedModel, texts: Sequence[Input], outputs: Sequence[str] | None = None) -> list[Reading]:
    """Read texts as they are explained, without a target.

    Args:
        loaded: a model with a head.
        texts: what it reads.
        outputs: what it is taken to have written for each; where None, an encoder-decoder writes them itself, and of a
            decoder the text alone is read.

    Raises:
        InputError: there are not as many outputs as texts, or a text is empty.
    """
    if outputs is None and bool(getattr(loaded.model.config, "is_encoder_decoder", False)):
        outputs = [said.text for said in predict_texts(loaded, texts)]
    written = [""] * len(texts) if outputs is None else list(outputs)
    if len(written) != len(texts):
        raise InputError(f"There are {len(written)} outputs for {len(texts)} texts: give one for each.")
    return [read_row(loaded, text, output=output) for text, output in zip(texts, written, strict=True)]


def token_values(
    twin: LoadedModel, readings: Sequence[Reading], parts: Sequence[Component], report: Report
) -> "list[dict[Component, torch.Tensor]]":
    """Return what parts give at each token of each text, of shape (tokens, …).

    Args:
        twin: a twin of the model.
        readings: the texts.
        parts: which parts.
        report: progress and cancellation.

    Raises:
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    import torch

    found: list[dict[Component, torch.Tensor]] = []
    at_once = fitting_batch(twin, max(map(len, readings), default=1), _TEXTS_AT_ONCE, kept=2 * len(parts))
    for start in range(0, len(readings), at_once):
        report.check()
        own = readings[start : start + at_once]
        with torch.no_grad(), record(twin.model, parts) as kept:
            run_tokens(twin, own)
        found += [
            {part: kept[part][row, : len(stack_tokens(reading, part.stack))].clone() for part in parts}
            for row, reading in enumerate(own)
        ]
        report.progress(len(found) / len(readings), f"{len(found)} of {len(readings)} texts read by the model")
    return found


def joined(found: "Sequence[Mapping[Component, torch.Tensor]]", part: Component) -> "torch.Tensor":
    """Return one part's values at all tokens of all texts, one text after the other."""
    import torch

    return torch.cat([each[part] for each in found])
