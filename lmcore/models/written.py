"""What a model writes, as token ids: given, or written by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lmcore.errors import InputError
from lmcore.models.encode import Encodings, counted
from lmcore.models.load import LoadedModel
from lmcore.types import Report


def output_ids(
    loaded: LoadedModel, read: Encodings, outputs: Sequence[str] | None, *, report: Report | None = None
) -> list[list[int]]:
    """Return the tokens of an encoder-decoder's outputs, each with its end token where it came to its end.

    Args:
        loaded: an encoder-decoder.
        read: what the encoder reads.
        outputs: one text for each; where None, what the model writes in its own way.
        report: progress and cancellation.

    Raises:
        InputError: there are not as many outputs as inputs, or none are given and the model has no head to write with.
        Cancelled: the report asked to stop.
    """
    if outputs is None:
        if loaded.model.get_output_embeddings() is None:
            raise InputError(f"{loaded.ref} has no head to write with: give what its decoder is to read.")
        from lmcore.models.generate import write_texts

        return [list(item.ids) for item in write_texts(loaded, read, report=report)]
    if len(outputs) != len(read):
        raise InputError(f"There are {len(outputs)} outputs for {len(read)} texts: give one for each.")
    whole = loaded.tokenizer(text_target=list(outputs), verbose=False)["input_ids"]
    limit = loaded.max_length
    return [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in whole]


def with_decoder_inputs(loaded: LoadedModel, read: Encodings, written: Sequence[Sequence[int]]) -> Encodings:
    """Return encodings with what the decoder reads: the start token, and all tokens of the output but the last."""
    return replace(read, fields={**read.fields, "decoder_input_ids": decoder_inputs(loaded, written)})


def decoder_inputs(loaded: LoadedModel, written: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return what the decoder reads while it writes each output: it predicts at each place the output's token there."""
    start = start_token(loaded.model)
    return [[start, *row[:-1]] for row in written]


def decoder_encodings(loaded: LoadedModel, written: Sequence[Sequence[int]]) -> Encodings:
    """Return what the decoder reads as encodings of their own, for naming its tokens."""
    return counted(loaded.tokenizer, decoder_inputs(loaded, written))


def start_token(model: Any) -> int:
    """Return the token that an encoder-decoder's output begins after."""
    for config in (getattr(model, "generation_config", None), model.config):
        token = getattr(config, "decoder_start_token_id", None)
        if token is not None:
            return int(token)
    raise InputError(
        "The model's configuration does not say which token its decoder starts with: set decoder_start_token_id."
    )
