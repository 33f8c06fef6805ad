"""What rewards are told, and what they are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmcore.methods import option

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """The settings of all rewards; each reads its own."""

    words: int = option(
        20, "Reward length: how many words a text should have.", minimum=1, maximum=10_000, methods=("length",)
    )
    pattern: str = option(
        "", "Reward format: a regular expression that the whole text should match.", methods=("format",)
    )
    classifier: str = option(
        "",
        "Reward classifier: a registered version for text classification, such as models:/tone@champion.",
        methods=("classifier",),
    )
    label: str = option("", "Reward classifier: the label that texts should get.", methods=("classifier",))


Reward = Callable[[Sequence[str], Sequence[str]], "np.ndarray"]
"""From texts and the reference of each to float64 of shape (texts,), each 0 to 1; the same texts get the same every time."""
