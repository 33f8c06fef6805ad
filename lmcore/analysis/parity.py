"""Checks that a model looked into answers as it does when it is only run."""

from typing import TYPE_CHECKING, Any

from lmcore.errors import InputError
from lmcore.models.load import LoadedModel

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4


def model_output(out: Any) -> "torch.Tensor":
    """Return what a model's run gave: its logits, of an answer those of its start, or a base model's last states."""
    given = (getattr(out, name, None) for name in ("logits", "start_logits", "last_hidden_state"))
    found: torch.Tensor = next(item for item in given if item is not None)
    return found


def check_parity(loaded: LoadedModel, plain: "torch.Tensor", other: "torch.Tensor", how: str) -> None:
    """Compare the outputs of two runs over the same text.

    Args:
        loaded: the model, for the message.
        plain: the output of the plain run.
        other: the output of the run that is to stand for it.
        how: what is different about that run, in words that follow "with".

    Raises:
        InputError: they differ by more than 1e-4 (of the largest output, where that is above 1), or are not finite.
    """
    gap = (other - plain).abs().max().item()
    if not gap <= TOLERANCE * max(1.0, plain.abs().max().item()):
        raise InputError(
            f"{loaded.ref} gives other outputs with {how} than without (by {gap:.2g}), so that what is seen there would "
            "not be what it uses: choose another model."
        )
