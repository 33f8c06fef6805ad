"""The logit lens: what a model would say after each layer (nostalgebraist 2020), and where its answer is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.lens.layer_choices import LayerChoices, TokenChoices, layer_choices
from lmcore.analysis.lens.methods import LENSES
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Report, Silent, Target

if TYPE_CHECKING:
    import torch

    from lmcore.analysis.lens.tuned import TunedLens

TOP = 5
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class LogitLens:
    """What each layer would choose at each column.

    Columns are the tokens at which a language head predicts (a decoder: the token after it; a masked model: the token
    itself), the tokens that are tagged, the two ends of an answer, or the whole text. Layer 0 is the embedding, the last
    layer the model's own output.

    Attributes:
        text_tokens: everything that is read.
        columns: what each column shows.
        places: the token of each column, int64 of shape (columns,); -1 for the whole text.
        top: the most probable choices, int64 of shape (layers + 1, columns, kept).
        probabilities: theirs, 0 to 1, float32 of the same shape.
        names: what the choices are called.
        entropy: of the distribution, in nats, float32 of shape (layers + 1, columns).
        divergence: from the last layer's distribution, KL(last ‖ layer) in nats, of that shape.
        final_ranks: the rank of the choice that the last layer puts first, from 1, int64 of that shape.
        target_ranks: that of the target's choice; 0 where a column has none.
        target_probabilities: its probability, float32; 0 where a column has none.
        values: the target's value at each layer (logits, or nats for a phrase), float64 of shape (layers + 1,).
        focus: the columns that the target is about.
        wanted: the target's choice at each column, -1 where it has none.
        target: what is explained.
        output: what the model wrote, or is taken to have written.
        off_distribution: whether the head is no language head: it never saw the layers below the last in training.
        parameters: the lens and its options.
        fingerprint: hash of weights, tokens, target and parameters.
    """

    text_tokens: TextTokens
    columns: tuple[str, ...]
    places: np.ndarray
    top: np.ndarray
    probabilities: np.ndarray
    names: Mapping[int, str]
    entropy: np.ndarray
    divergence: np.ndarray
    final_ranks: np.ndarray
    target_ranks: np.ndarray
    target_probabilities: np.ndarray
    values: np.ndarray
    focus: np.ndarray
    wanted: np.ndarray
    target: Target
    output: str
    off_distribution: bool
    parameters: Mapping[str, Any]
    fingerprint: str

    @property
    def layers(self) -> int:
        """The number of layers above the embedding."""
        return len(self.top) - 1

    @property
    def decided(self) -> np.ndarray:
        """The first layer from which on each column's last choice stays the first one, int64 of shape (columns,)."""
        return first_kept(self.final_ranks == 1)

    @property
    def target_decided(self) -> np.ndarray:
        """The first layer from which on the target's choice stays the first one; -1 where it is not in the end."""
        return first_kept(self.target_ranks == 1)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each layer and column: what it would say, how surely, and where the target stands."""
        layers, columns = np.indices(self.entropy.shape)
        layer, column = layers.ravel(), columns.ravel()
        first = self.top[..., 0].ravel()
        return pd.DataFrame(
            {
                "layer": layer,
                "column": column,
                "at": np.array(self.columns, dtype=object)[column],
                "says": [self.names[choice] for choice in first.tolist()],
                "probability": self.probabilities[..., 0].ravel(),
                "entropy": self.entropy.ravel(),
                "divergence": self.divergence.ravel(),
                "final_rank": self.final_ranks.ravel(),
                "target_probability": self.target_probabilities.ravel(),
                "target_rank": self.target_ranks.ravel(),
            }
        )

    def trajectory(self, column: int) -> pd.DataFrame:
        """Return one column by layer.

        Raises:
            OptionError: there is no such column.
        """
        if not 0 <= column < len(self.columns):
            raise OptionError(f"There is no column {column}: give one from 0 to {len(self.columns) - 1}.")
        frame = self.to_frame()
        return frame[frame["column"] == column].drop(columns="column").reset_index(drop=True)


def first_kept(holds: np.ndarray) -> np.ndarray:
    """Return the first row from which on something holds in all rows to the last; -1 where it does not in the last.

    Args:
        holds: bool of shape (rows, columns).
    """
    kept = np.logical_and.accumulate(holds[::-1], axis=0)[::-1]
    return np.where(holds[-1], kept.argmax(axis=0), -1)


def logit_lens(
    loaded: LoadedModel,
    text: Input,
    target: Target | str | None = None,
    *,
    output: str | None = None,
    lens: "TunedLens | None" = None,
    top: int = TOP,
    report: Report | None = None,
) -> LogitLens:
    """Read what a model would say after each of its layers.

    The vectors of a decoder go through the final norm and the unembedding, those of a masked model through its
    prediction head; of an encoder-decoder the decoder is read. Any other head is applied to every layer in place of the
    last; it was never trained for that, and the result says so.

    Args:
        loaded: a model with a head.
        text: what it reads: a text, or each of the columns that its task reads.
        target: what is followed, or the name of a class, token or phrase; what the model predicts where None.
        output: for a model that writes, the text that is explained as if it had written it; its own where None.
        lens: a tuned lens of this model; the plain one where None.
        top: how many choices are kept at each layer and column.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, the model has no head, or its layers cannot be read.
        OptionError: the parts of the model are not known, the lens is another model's, or ``top`` is below 1.
        Cancelled: the report asked to stop.
    """
    if top < 1:
        raise OptionError(f"The number of choices to keep is {top}: give 1 or more.")
    asked = ask(loaded, [text], [target], None if output is None else [output])[0]
    translate = None if lens is None else lens.translation(loaded)
    choices = layer_choices(loaded, asked, translate)
    measured = _measure(choices, top, report or Silent())
    parameters = {"lens": "logit" if lens is None else "tuned", "top": top}
    if lens is not None:
        parameters["tuned"] = lens.fingerprint
    names = {int(choice): choices.name(int(choice)) for choice in np.unique(measured["top"])}
    return LogitLens(
        text_tokens=asked.reading.tokens,
        columns=choices.columns,
        places=choices.places,
        names=names,
        values=choices.values,
        focus=choices.focus,
        wanted=choices.wanted,
        target=asked.target,
        output=asked.output,
        off_distribution=not isinstance(choices, TokenChoices),
        parameters=parameters,
        fingerprint=fingerprint(
            loaded.fingerprint, asked.reading.tokens.ids.tolist(), str(asked.target), LENSES.kind, parameters
        ),
        **measured,
    )


def _measure(choices: LayerChoices, top: int, report: Report) -> dict[str, np.ndarray]:
    """Read layer by layer, some columns at a time, so that memory does not grow with the text."""
    import torch

    columns = len(choices.columns)
    found: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        width = choices.logits(choices.layers, 0, 1).shape[-1]
        step = max(1, _CHUNK_BYTES // (4 * width))
        for start in range(0, columns, step):
            end = min(start + step, columns)
            wanted = torch.from_numpy(choices.wanted[start:end])
            last = choices.logits(choices.layers, start, end)
            for layer in range(choices.layers + 1):
                report.check()
                logits = choices.logits(layer, start, end)
                for name, values in _read(logits, last, wanted.to(last.device), top, choices.exclusive).items():
                    found.setdefault(name, []).append(values)
                done = (start + (end - start) * (layer + 1) / (choices.layers + 1)) / columns
                report.progress(done, f"{layer} of {choices.layers} layers read")
    layers = choices.layers + 1
    return {
        name: np.concatenate([np.stack(pieces[n : n + layers]) for n in range(0, len(pieces), layers)], axis=1)
        for name, pieces in found.items()
    }


def _read(
    logits: "torch.Tensor", last: "torch.Tensor", wanted: "torch.Tensor", top: int, exclusive: bool
) -> dict[str, np.ndarray]:
    """Return what is kept of one layer's logits at some columns, shape (columns, choices)."""
    import torch

    logs, lasts = logits.log_softmax(dim=-1), last.log_softmax(dim=-1)
    shares = logs.exp() if exclusive else logits.sigmoid()
    if exclusive:
        entropy = torch.special.entr(shares).sum(dim=-1)
        divergence = (lasts.exp() * (lasts - logs)).sum(dim=-1)
    else:  # each choice is a yes or no of its own
        entropy = (torch.special.entr(shares) + torch.special.entr(1 - shares)).sum(dim=-1)
        own = last.sigmoid()
        softplus = torch.nn.functional.softplus  # the negative log of a sigmoid, of the other sign
        divergence = own * (softplus(-logits) - softplus(-last)) + (1 - own) * (softplus(logits) - softplus(last))
        divergence = divergence.sum(dim=-1)
    best = logits.topk(min(top, logits.shape[-1]), dim=-1).indices
    known = wanted.clamp(min=0)[:, None]
    there = (wanted >= 0).int()
    return {
        "top": best.cpu().numpy(),
        "probabilities": shares.gather(-1, best).cpu().numpy(),
        "entropy": entropy.cpu().numpy(),
        "divergence": divergence.clamp(min=0).cpu().numpy(),
        "final_ranks": _ranks(logits, last.argmax(dim=-1, keepdim=True)).cpu().numpy(),
        "target_ranks": (_ranks(logits, known) * there).cpu().numpy(),
        "target_probabilities": (shares.gather(-1, known)[:, 0] * there).cpu().numpy(),
    }


def _ranks(logits: "torch.Tensor", choice: "torch.Tensor") -> "torch.Tensor":
    """Return the rank from 1 of a choice in each row; equal logits share the better rank."""
    return (logits > logits.gather(-1, choice)).sum(dim=-1) + 1
