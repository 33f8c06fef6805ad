"""What a head chooses among: at each place some choices, with a logit for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import UnknownError

if TYPE_CHECKING:
    import torch

WHOLE = "the whole text"


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The choices of a head with a fixed set of them.

    Attributes:
        logits: shape (batch, columns, choices).
        columns: what each column is about: a token, the whole text, the start of an answer.
        places: the token that each column stands at, int64 of shape (columns,); -1 for the whole text.
        choices: what is chosen among.
        wanted: the choice that is explained at each column, int64 of shape (columns,); -1 where none is.
        exclusive: whether exactly one is chosen, so that the probabilities sum to 1; else each has one of its own.
    """

    logits: "torch.Tensor"
    columns: tuple[str, ...]
    places: np.ndarray
    choices: tuple[str, ...]
    wanted: np.ndarray
    exclusive: bool = True


def whole_text(logits: "torch.Tensor", choices: Sequence[str], label: str, *, exclusive: bool = True) -> Outcomes:
    """Return the choice of one label for the whole text.

    Args:
        logits: shape (batch, choices).
        choices: the labels.
        label: the one that is explained.
        exclusive: whether a text has exactly one.

    Raises:
        UnknownError: there is no such label.
    """
    if label not in choices:
        raise UnknownError("class", label, choices)
    wanted = np.array([list(choices).index(label)], dtype=np.int64)
    return Outcomes(logits[:, None], (WHOLE,), np.array([-1]), tuple(choices), wanted, exclusive)
