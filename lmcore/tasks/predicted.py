"""What a task gives back when a model has run over rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmcore.types import Prediction

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model said about some rows.

    Attributes:
        predictions: one a row, in the order of the rows.
        encodings: the rows as the model saw them.
    """

    predictions: list[Prediction]
    encodings: "Encodings"


def row_number(frame: "pd.DataFrame", position: int) -> int:
    """Return the number, from 1, that a row has in its file."""
    return int(frame["id"].iloc[position]) + 1
