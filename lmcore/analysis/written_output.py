"""What an encoder-decoder's decoder reads while it writes: its own greedy output, or a given one."""

from dataclasses import dataclass, replace

from lmcore.analysis.model_input import name_tokens
from lmcore.errors import InputError
from lmcore.models.decoding import Decoding
from lmcore.models.encode import Encodings
from lmcore.models.generate import write_texts
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens
from lmcore.models.written import decoder_inputs
from lmcore.types import Report

MAX_NEW_TOKENS = 128


@dataclass(frozen=True, eq=False)
class WrittenOutput:
    """An output, token by token.

    Attributes:
        text: the output.
        written: its tokens, the end included: what the decoder writes at each place.
        read: the decoder's input: the start token, and then the output without its last token.
        own: whether the model wrote it itself.
    """

    text: str
    written: TextTokens
    read: TextTokens
    own: bool


def read_output(
    loaded: LoadedModel, encodings: Encodings, output: str | None, *, report: Report | None = None
) -> WrittenOutput:
    """Return the decoder's side of one input.

    Args:
        loaded: an encoder-decoder.
        encodings: what its encoder reads, one window.
        output: what is written; None takes what the model itself writes, greedily.
        report: progress and cancellation of the writing.

    Raises:
        InputError: the output is empty, or the model has no head to write one with.
        Cancelled: the report asked to stop.
    """
    tokenizer, own = loaded.tokenizer, output is None
    if output is None:
        if not hasattr(loaded.model, "lm_head"):
            raise InputError(f"{loaded.ref} has no head that writes: give the output, or load the model with its task.")
        item = write_texts(loaded, encodings, greedy(loaded), report=report)[0]
        text, ids = item.text, list(item.ids)
    else:
        if not output.strip():
            raise InputError("The output is empty: give what the model is to have written.")
        text, ids = output, list(tokenizer(text_target=output, verbose=False)["input_ids"])[: loaded.max_length]
    if not ids:
        raise InputError("The output has no character that the model's tokenizer reads: give another.")
    (read,) = decoder_inputs(loaded, [ids])
    return WrittenOutput(text, name_tokens(tokenizer, [text], ids), name_tokens(tokenizer, [text], read), own)


def greedy(loaded: LoadedModel) -> Decoding:
    """Return how a model writes the most probable token each time, up to 128 of them."""
    return replace(loaded.decoding, beams=1, sample=False, max_new_tokens=MAX_NEW_TOKENS)
