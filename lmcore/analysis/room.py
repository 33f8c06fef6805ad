"""Whether a text is short enough for the memory that is free, said before anything is run."""

from lmcore.errors import ResourceError
from lmcore.memory import read_memory
from lmcore.models.load import LoadedModel, reading_config
from lmcore.models.structure import HEADS
from lmcore.settings import MIB

_FLOAT = 4
_GRADIENT_COPIES = 20  # vectors of the model's width that a layer leaves behind for the way back, about
_FORWARD_COPIES = 20  # those that are there at once while one layer runs
_LOGIT_COPIES = {False: 3, True: 4}
_MAP_COPIES = 2


def pass_bytes(
    loaded: LoadedModel, tokens: int, *, gradients: bool = False, read: int | None = None, kept: int = 0
) -> int:
    """Return what running a text takes beside the weights: its vectors at every layer, and outputs over the vocabulary.

    Args:
        loaded: the model.
        tokens: of the text.
        gradients: whether it is also run backwards, for which every layer keeps what it made.
        read: at how many of the tokens a language head is read; at all where None.
        kept: vectors of the model's width that an analysis keeps of each token besides.
    """
    config = reading_config(loaded.model.base_model.config)
    layers = states_of(loaded) - 1
    head = loaded.model.get_output_embeddings()
    outputs = 0 if head is None else int(head.weight.shape[0])
    vectors = _FORWARD_COPIES if not gradients else max(_FORWARD_COPIES, layers * _GRADIENT_COPIES)
    width = (vectors + kept) * int(config.hidden_size)
    found = _FLOAT * (tokens * width + (tokens if read is None else read) * outputs * _LOGIT_COPIES[gradients])
    if getattr(config, "_attn_implementation", "") == "eager":  # which writes its maps down
        heads = int(getattr(config, HEADS, 0) or config.num_attention_heads)
        found += _FLOAT * _MAP_COPIES * heads * tokens**2 * (layers if gradients else 1)
    return found


def states_of(loaded: LoadedModel) -> int:
    """Return how many vectors of each token an analysis keeps that reads every layer: those of all of them."""
    config = reading_config(loaded.model.base_model.config)
    return 1 + int(config.num_hidden_layers) * (2 if loaded.model.config.is_encoder_decoder else 1)


def check_room(
    loaded: LoadedModel, tokens: int, *, gradients: bool = False, read: int | None = None, kept: int = 0
) -> None:
    """Refuse a text that would not fit; the arguments are those of `pass_bytes`.

    Raises:
        ResourceError: with the figures, and the number of tokens that would be few enough.
    """
    free = free_bytes(loaded)

    def bytes_of(count: int) -> int:
        return pass_bytes(
            loaded, count, gradients=gradients, read=None if read is None else min(read, count), kept=kept
        )

    needed = bytes_of(tokens)
    if needed <= free:
        return
    fitting = tokens
    while fitting and bytes_of(fitting) > free:
        fitting = fitting * 9 // 10
    how = "with gradients " if gradients else ""
    other = ", take a method without gradients" if gradients else ""
    raise ResourceError(
        f"Running {tokens} tokens {how}takes about {needed / MIB:,.0f} MiB of memory and {free / MIB:,.0f} MiB are free: give "
        f"a text of at most {fitting} tokens{other}, or wait until other work has ended."
    )


def check_held(loaded: LoadedModel, count: int, each: int, what: str) -> None:
    """Refuse what an analysis would keep all the while.

    Args:
        loaded: the model.
        count: how many things are kept.
        each: numbers of each.
        what: what they are called in the message, such as ``tokens``.

    Raises:
        ResourceError: with the figures, and how many would be few enough.
    """
    free, needed = free_bytes(loaded), _FLOAT * count * each
    if needed > free:
        raise ResourceError(
            f"Keeping {count} {what} takes about {needed / MIB:,.0f} MiB of memory and {free / MIB:,.0f} MiB are free: give at "
            f"most {free // (_FLOAT * each)}, or wait until other work has ended."
        )


def fitting_batch(
    loaded: LoadedModel,
    tokens: int,
    batch_size: int,
    *,
    gradients: bool = False,
    read: int | None = None,
    kept: int = 0,
) -> int:
    """Return how many texts of so many tokens can be run at once, at most ``batch_size``; see `pass_bytes`.

    Raises:
        ResourceError: not even one can.
    """
    check_room(loaded, tokens, gradients=gradients, read=read, kept=kept)
    each = max(1, pass_bytes(loaded, tokens, gradients=gradients, read=read, kept=kept))
    return max(1, min(batch_size, free_bytes(loaded) // each))


def free_bytes(loaded: LoadedModel) -> int:
    """Return the bytes that are free where the model is."""
    import torch

    return read_memory().available if loaded.device == "cpu" else int(torch.cuda.mem_get_info(loaded.device)[0])
