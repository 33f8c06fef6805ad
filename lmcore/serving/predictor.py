"""From texts to predictions with one loaded model, where a bad text spoils only its own answer."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.serving.failed import FailedPrediction
from lmcore.tasks import load_task
from lmcore.types import Input, Prediction


class Predictor:
    """Predicts texts with a model that has a task's head.

    Raises:
        InputError: the model is a base model without a head.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        if not loaded.task:
            raise InputError(
                f"{loaded.ref} has no trained head: serve a registered version, such as models:/name@champion."
            )
        self.loaded = loaded

    @property
    def version(self) -> str:
        """What answers, as text: a registered version's reference, otherwise the name and the fingerprint."""
        ref = self.loaded.ref
        return str(ref) if ref.kind == "registry" else f"{ref.kind}:{Path(ref.name).name}#{self.loaded.fingerprint}"

    @property
    def reads(self) -> list[str]:
        """The columns that the model reads of each row."""
        return load_task(self.loaded.task).required()

    def predict(self, texts: Sequence[Input]) -> list[Prediction]:
        """Predict texts in batches of like length.

        Args:
            texts: any strings, or an object with each text where the task reads several.

        Returns:
            One prediction for each text, in their order, with their positions as ids; a `FailedPrediction` where
            the tokenizer or the model cannot work on a text.
        """
        if not texts:
            return []
        with self.loaded.lock:
            found = self._halve(texts)
        return [replace(item, id=number) for number, item in enumerate(found)]

    def _halve(self, texts: Sequence[Input]) -> list[Prediction]:
        """Predict all, or each half where that fails, down to the one text that is to blame."""
        try:
            return [_finite(item) for item in predict_texts(self.loaded, texts)]
        except (InputError, RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            if len(texts) == 1:
                return [FailedPrediction(0, error=_reason(error))]
        middle = len(texts) // 2
        return self._halve(texts[:middle]) + self._halve(texts[middle:])


def _finite(item: Prediction) -> Prediction:
    if math.isfinite(item.score):
        return item
    return FailedPrediction(item.id, error="The model's output for this text is not a finite number.")


def _reason(error: Exception) -> str:
    # The message of a foreign error may quote the text, so that only its kind is told; a task's own never does.
    if isinstance(error, InputError):
        return str(error)
    return f"The model cannot work on this text ({type(error).__name__})."
