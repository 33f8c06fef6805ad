"""What can be explained of a text that a model wrote: a word or phrase of it, alone or against another token."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import InputError
from lmcore.models.text_tokens import word_spans
from lmcore.types import Target

if TYPE_CHECKING:
    import torch

    from lmcore.models.reading import Reading


def phrase_targets(text: str) -> list[Target]:
    """Return each word of a text that was written, then the whole of it."""
    spans = word_spans(text)
    words = [Target("phrase", text[start:end], start, end) for start, end in spans]
    return words if len(spans) < 2 else [*words, Target("phrase", text.strip(), 0, len(text))]


def phrase_value(tokenizer: Any, logits: "torch.Tensor", reading: "Reading", target: Target) -> "torch.Tensor":
    """Return how probable what was written is, shape (batch,).

    A phrase by itself is worth the sum of its tokens' log probabilities (nats), each given what stands before it. Against
    another text its first token's logit less that of the other's counts (Yin & Neubig 2022). A token where nothing was
    written yet is the token at a gap, numbered by ``start``: its logit, alone or less the other's.

    Args:
        tokenizer: the model's.
        logits: shape (batch, places, vocabulary).
        reading: where the output's tokens are predicted.
        target: a ``phrase`` by its characters in the output, or a ``token`` by its text.

    Raises:
        InputError: it does not stand there.
    """
    import torch

    written = reading.written
    if target.kind == "token":
        gap = int(written.at[_gap(reading, target)])
        values = logits[:, gap]
        alone = values[:, token_id(tokenizer, target.label)]
        return alone - values[:, token_id(tokenizer, target.against)] if target.against else alone
    numbers = written.within(target.start, target.end)
    if target.kind != "phrase" or not len(numbers):
        raise InputError(f"What was written has nothing at the characters {target.start} to {target.end} to explain.")
    ids, at = written.ids[numbers], written.at[numbers]
    if target.against:
        values = logits[:, int(at[0])]
        return values[:, int(ids[0])] - values[:, token_id(tokenizer, target.against)]
    probabilities = logits[:, torch.from_numpy(at)].log_softmax(dim=-1)
    chosen = torch.from_numpy(ids).to(logits.device)[None, :, None].expand(len(logits), -1, 1)
    return probabilities.gather(2, chosen)[..., 0].sum(dim=1)


def phrase_probability(tokenizer: Any, logits: "torch.Tensor", reading: "Reading", target: Target) -> "torch.Tensor":
    """Return the probability of what `phrase_value` values, 0 to 1; against another token, among these two alone."""
    value = phrase_value(tokenizer, logits, reading, target)
    if target.against:
        return value.sigmoid()
    if target.kind == "token":
        return (value - logits[:, int(reading.written.at[_gap(reading, target)])].logsumexp(dim=-1)).exp()
    return value.exp()


def token_id(tokenizer: Any, text: str) -> int:
    """Return the token that a text is, or else the first one that it begins with.

    Raises:
        InputError: the tokenizer reads nothing of it.
    """
    known = tokenizer.get_vocab().get(text)
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if len(ids) != 1 and known is not None:
        return int(known)
    if not ids:
        raise InputError(f"The tokenizer reads nothing of {text!r}: name another token.")
    return int(ids[0])


def _gap(reading: "Reading", target: Target) -> int:
    count = len(reading.written)
    if not 0 <= target.start < count:
        raise InputError(
            f"There are {count} places where a token is to be found, and number {target.start + 1} is none."
        )
    return int(np.clip(target.start, 0, count - 1))
