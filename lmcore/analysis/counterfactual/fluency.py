"""How well texts read: the mean log probability of their tokens by a decoder."""

from collections.abc import Sequence

import numpy as np

from lmcore.analysis.counterfactual.edit import columns_of
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Report


def check_decoder(decoder: LoadedModel | None) -> None:
    """Refuse what does not write texts token by token.

    Raises:
        InputError: saying what would be right.
    """
    if decoder is None:
        return
    config = decoder.model.config
    writes = decoder.task in {"text-generation", "completion"} and hasattr(decoder.model, "lm_head")
    if not writes or getattr(config, "is_encoder_decoder", False):
        raise InputError(f"{decoder.ref} does not say how well a text reads: load a decoder for text-generation.")


def mean_log_probabilities(decoder: LoadedModel, texts: Sequence[Input], report: Report | None = None) -> np.ndarray:
    """Return the mean log probability of each text's tokens in nats, float64 of shape (texts,).

    The first token of a text has none before it and is not counted; of a text with a single token it is not-a-number.

    Raises:
        Cancelled: the report asked to stop.
    """
    from lmcore.models.causal import encode_measured
    from lmcore.models.likelihood import score_tokens

    whole = ["\n".join(columns_of(text).values()) for text in texts]
    encodings = encode_measured(decoder.tokenizer, whole, decoder.max_length)
    scores = score_tokens(decoder, encodings, report=report)
    totals, counts = scores.per_row(scores.nll, len(whole)), scores.per_row(np.ones(len(scores.nll)), len(whole))
    means: np.ndarray = np.where(counts > 0, -totals / np.maximum(counts, 1), np.nan)
    return means
