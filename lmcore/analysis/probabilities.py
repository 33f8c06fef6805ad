"""How probable a language model holds each token of a text, and what it would rather have read."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.room import fitting_batch
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.distributions import token_distributions
from lmcore.models.encode import Encodings, counted, encode_texts
from lmcore.models.load import LoadedModel
from lmcore.models.predict import BATCH_SIZE
from lmcore.types import Report

Reading = Literal["next token", "masked token", "output"]
ALTERNATIVES = 5


@dataclass(frozen=True, eq=False)
class TokenProbabilities:
    """How probable each token is.

    A token that nothing stands before (the first of a text where the tokenizer puts no token before it) is not
    predicted: its figures are NaN, its rank is 0, and it adds nothing to the sums.

    Attributes:
        reading: ``next token`` (given the tokens before), ``masked token`` (given all others, each masked in turn: the
            pseudo-likelihood of Salazar et al. 2020), or ``output`` (of a text that is written: given the source and the
            output's tokens before).
        tokens: what each token shows.
        ids: int64 of shape (tokens,).
        probability: 0 to 1, float64 of shape (tokens,).
        surprisal: -log2 of the probability, in bits.
        entropy: of the distribution, in bits: how undecided the model was, whatever came.
        rank: 1 where the model held it the most probable, int64 of shape (tokens,).
        best: the most probable tokens at each place, as they are shown; an empty tuple where nothing is predicted.
        best_probability: their probabilities, float64 of shape (tokens, alternatives).
        vocabulary: how many tokens there are to choose from.
        truncated: whether the text that is read, or the output, was cut at the model's limit.
        fingerprint: hash of weights, tokens and reading.
    """

    reading: Reading
    tokens: tuple[str, ...]
    ids: np.ndarray
    probability: np.ndarray
    surprisal: np.ndarray
    entropy: np.ndarray
    rank: np.ndarray
    best: tuple[tuple[str, ...], ...]
    best_probability: np.ndarray
    vocabulary: int
    truncated: bool
    fingerprint: str

    @property
    def predicted(self) -> int:
        """How many tokens are predicted."""
        return int((self.rank > 0).sum())

    @property
    def bits(self) -> float:
        """The surprisals' sum: the text's negative log-likelihood (of a masked model, pseudo-likelihood) in bits."""
        return float(np.nansum(self.surprisal))

    @property
    def nll(self) -> float:
        """The same in nats, as a model's loss times the number of predicted tokens."""
        return self.bits * float(np.log(2))

    @property
    def perplexity(self) -> float:
        """Two to the mean surprisal, 1 or more: as undecided as among so many tokens; NaN where nothing is predicted."""
        return float(2 ** (self.bits / self.predicted)) if self.predicted else float("nan")

    def part(self, places: slice) -> "TokenProbabilities":
        """Return a stretch of the tokens, with its own sums."""
        names = ("tokens", "ids", "probability", "surprisal", "entropy", "rank", "best", "best_probability")
        return replace(self, **{name: getattr(self, name)[places] for name in names})

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each token; ``alternatives`` has the most probable ones with their probabilities."""
        listed = [
            ", ".join(f"{name} {share:.1%}" for name, share in zip(names, shares, strict=False))
            for names, shares in zip(self.best, self.best_probability, strict=True)
        ]
        return pd.DataFrame(
            {
                "position": np.arange(1, len(self.tokens) + 1),
                "token": self.tokens,
                "probability": self.probability,
                "surprisal": self.surprisal,
                "entropy": self.entropy,
                "rank": self.rank,
                "alternatives": listed,
            }
        )


def token_probabilities(
    loaded: LoadedModel,
    text: str,
    *,
    output: str | None = None,
    alternatives: int = ALTERNATIVES,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
) -> TokenProbabilities:
    """Say how probable each token of a text is to a language model; nothing of a text is left out.

    A decoder reads the text once. A masked model reads it as often as it has tokens. A text above the model's own window is
    read in windows that overlap by half, so that each token is given at least half a window. Where the model writes a
    text from a text (an encoder-decoder, or a decoder trained to), the output's tokens are measured.

    Args:
        loaded: a model with a language head.
        text: what is measured, or the source of what is written.
        output: what is written; where None, what the model writes itself.
        alternatives: how many of the most probable tokens are kept at each place, 1 or more.
        batch_size: windows in one forward pass.
        report: progress and cancellation.

    Raises:
        InputError: the model has no language head, or the text is empty or has no token that is predicted; or an output
            is given to a model that only reads on.
        ResourceError: the longest window would not fit into memory.
        Cancelled: the report asked to stop.
    """
    loaded = loaded.widest
    _check(loaded, text)
    reading, ids, encodings = _windows(loaded, text, output, report)
    if not any(encodings.notes["targets"]):
        raise InputError("The text has no token that is predicted from another: give a longer one.")
    batch_size = fitting_batch(loaded, int(encodings.lengths.max()), batch_size)
    found = token_distributions(loaded, encodings, max(alternatives, 1), batch_size=batch_size, report=report)
    lead = len(ids) - len(found.rank)

    def padded(values: np.ndarray, filler: float) -> np.ndarray:
        return np.concatenate([np.full((lead, *values.shape[1:]), filler, dtype=values.dtype), values])

    surprisal, tokenizer = padded(found.surprisal, np.nan), loaded.tokenizer
    names = {int(token): token_text(tokenizer, int(token)) for token in {*ids, *found.best.ravel().tolist()}}
    return TokenProbabilities(
        reading=reading,
        tokens=tuple(names[token] for token in ids),
        ids=np.array(ids, dtype=np.int64),
        probability=np.exp2(-surprisal),
        surprisal=surprisal,
        entropy=padded(found.entropy, np.nan),
        rank=padded(found.rank, 0),
        best=(*[()] * lead, *[tuple(names[int(token)] for token in row) for row in found.best]),
        best_probability=padded(found.best_probability, np.nan),
        vocabulary=int(loaded.model.config.get_text_config().vocab_size),
        truncated=_was_cut(encodings),
        fingerprint=fingerprint(loaded.fingerprint, encodings.ids, list(ids), reading),
    )


def _check(loaded: LoadedModel, text: str) -> None:
    if loaded.model.get_output_embeddings() is None:
        raise InputError(
            f"{loaded.ref} has no language head, so that it holds no token probable: choose a model for text generation, "
            "completion or translation."
        )
    if not text.strip():
        raise InputError("The text is empty: give one to measure.")


def token_text(tokenizer: Any, token: int) -> str:
    """Return what a token shows: its text with the spaces in it, or the bytes of a part of a character."""
    shown: str = tokenizer.decode([token], clean_up_tokenization_spaces=False)
    if shown and "\ufffd" not in shown:
        return shown
    name = str(tokenizer.convert_ids_to_tokens(token))
    values = [_byte_values().get(character) for character in name]
    return name if None in values else "".join(f"<0x{value:02X}>" for value in values)


@cache
def _byte_values() -> dict[str, int]:
    """Return the byte that each character of a byte-level token stands for (Radford et al. 2019)."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [value for value in range(256) if value not in printed]
    return {chr(value): value for value in printed} | {chr(256 + n): value for n, value in enumerate(others)}


def _windows(
    loaded: LoadedModel, text: str, output: str | None, report: Report | None
) -> tuple[Reading, list[int], Encodings]:
    """Return how the model reads, the tokens that are shown, and the windows; the last of the tokens are predicted."""
    from lmcore.models.masked import encode_each_masked
    from lmcore.tasks import load_task
    from lmcore.tasks.completion import is_masked
    from lmcore.tasks.writing import WritingTask

    if loaded.model.config.is_encoder_decoder:
        return "output", *_written(loaded, text, output, report)
    task = load_task(loaded.task) if loaded.task else None
    if isinstance(task, WritingTask):
        return "output", *_continued(loaded, task.adapted(loaded.model.config), text, output, report)
    if output is not None:
        raise InputError(f"{loaded.ref} writes no text from a text: give what is to be measured as the text alone.")
    if is_masked(loaded.tokenizer):
        encodings = encode_each_masked(loaded.tokenizer, text, loaded.max_length)
        return "masked token", [token for (token,) in encodings.notes["targets"]], encodings
    return "next token", *_read_on(loaded, text)


def _read_on(loaded: LoadedModel, text: str) -> tuple[list[int], Encodings]:
    from lmcore.models.causal import encode_measured, token_ids

    (ids,) = token_ids(loaded.tokenizer, [text])
    encodings = encode_measured(loaded.tokenizer, [text], loaded.max_length)
    opened = bool(ids) and ids[0] == loaded.tokenizer.bos_token_id
    return ids[1:] if opened else ids, encodings


def _written(loaded: LoadedModel, text: str, output: str | None, report: Report | None) -> tuple[list[int], Encodings]:
    from lmcore.models.written import output_ids, with_decoder_inputs

    read = encode_texts(loaded.tokenizer, [text], loaded.max_length)
    given = None if output is None else [output]
    written = output_ids(loaded, read, given, report=report)
    notes = {"places": [list(range(len(row))) for row in written], "targets": written}
    whole = [] if output is None else loaded.tokenizer(text_target=output, verbose=False)["input_ids"]
    cut = np.array([len(whole) > len(written[0])])
    return written[0], replace(with_decoder_inputs(loaded, read, written), notes=notes, cut_outputs=cut)


def _continued(
    loaded: LoadedModel, task: Any, text: str, output: str | None, report: Report | None
) -> tuple[list[int], Encodings]:
    """Return the output of a decoder that was trained to write it after a template."""
    from lmcore.models.encode import IGNORED
    from lmcore.models.generate import write_texts

    frame = pd.DataFrame({"id": [0], task.source: [text], task.target: [output or ""]})
    whole = task.encode(loaded.tokenizer, frame, loaded.max_length, labels=None if output is None else ())
    if output is None:
        prompt, targets = whole.ids[0], list(write_texts(loaded, whole, report=report)[0].ids)
    else:
        labels = whole.fields["labels"][0]
        first = sum(label == IGNORED for label in labels)
        prompt, targets = whole.ids[0][:first], list(labels[first:])
    notes = {"places": [list(range(len(prompt) - 1, len(prompt) + len(targets) - 1))], "targets": [targets]}
    ids = [[*prompt, *targets]]
    found = counted(loaded.tokenizer, ids, truncated=whole.truncated, notes=notes, cut_outputs=whole.cut_outputs)
    return targets, found


def _was_cut(encodings: Encodings) -> bool:
    return bool(encodings.truncated.any() or (encodings.cut_outputs is not None and encodings.cut_outputs.any()))
