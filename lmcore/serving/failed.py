"""What stands in the place of a prediction that could not be made; light to import."""

from dataclasses import dataclass

from lmcore.types import Prediction


@dataclass(frozen=True, slots=True)
class FailedPrediction(Prediction):
    """What stands in the place of a prediction that could not be made.

    Attributes:
        error: one sentence that says why; it never holds the text.
    """

    error: str = ""
