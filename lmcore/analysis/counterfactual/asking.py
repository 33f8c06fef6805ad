"""Asking a model about many edited texts: in batches of like length, each text once, and no more than a budget allows."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lmcore.errors import Cancelled, InputError, LmError, OptionError
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.types import Input, Prediction, Report, Silent

BATCH = 64
MAX_CHARACTERS = 100_000

Predict = Callable[[Sequence[Input]], Sequence[Prediction | Mapping[str, Any]]]
Model = LoadedModel | Predict


class Asker:
    """Asks a model, remembers what it said, and counts what that cost.

    Attributes:
        asked: texts that the model was given.
        calls: how often it was called.
        failed: texts that it could not work on.
    """

    def __init__(self, model: Model, budget: int, report: Report | None = None) -> None:
        """Take a loaded model with a head, or any function from inputs to predictions.

        Args:
            model: what is asked.
            budget: how many texts it may be given.
            report: progress and cancellation.

        Raises:
            InputError: the model has no head, or is none.
            OptionError: the budget is below 1.
        """
        if isinstance(model, LoadedModel) and not model.task:
            raise InputError(
                f"{model.ref} has no trained head: give a registered version, such as models:/name@champion."
            )
        if not isinstance(model, LoadedModel) and not callable(model):
            raise InputError("The model is no model: give a loaded one, or a function from texts to predictions.")
        if budget < 1:
            raise OptionError(f"The budget is {budget}: let the model be asked at least one text.")
        self._model, self._budget, self._report = model, budget, report or Silent()
        self._known: dict[str, Prediction | None] = {}
        self.asked = self.calls = self.failed = 0

    @property
    def left(self) -> int:
        """How many texts the model may still be given."""
        return self._budget - self.asked

    def one(self, text: Input) -> Prediction:
        """Return what the model says of the unchanged input.

        Raises:
            InputError: the model cannot work on it.
        """
        found = self._ask([text])[0]
        if isinstance(found, LmError):
            raise found
        self._known[_key(text)] = found
        return found

    def many(self, texts: Sequence[Input], message: str = "") -> list[Prediction | None]:
        """Return what the model says of each input; None where it cannot work on one, or the budget is spent.

        Raises:
            Cancelled: the report asked to stop.
        """
        new = {_key(text): text for text in texts if _key(text) not in self._known}
        allowed = list(new)[: max(self.left, 0)]
        ordered = sorted(allowed, key=len)
        for start in range(0, len(ordered), BATCH):
            self._report.check()
            keys = ordered[start : start + BATCH]
            for key, found in zip(keys, self._ask([new[key] for key in keys]), strict=True):
                self.failed += isinstance(found, LmError)
                self._known[key] = None if isinstance(found, LmError) else found
            self._report.progress(min(self.asked / self._budget, 1.0), message or f"{self.asked} texts asked")
        return [self._known.get(_key(text)) for text in texts]

    def _ask(self, texts: Sequence[Input]) -> list[Prediction | LmError]:
        """Ask about all, or about each half where that fails, down to the one text that is to blame."""
        self.calls += 1
        self.asked += len(texts)
        try:
            return [_read(item) for item in self._predict(texts)]
        except (Cancelled, OptionError):
            raise
        except InputError as error:
            if len(texts) == 1:
                return [error]
        self.asked -= len(texts)
        middle = len(texts) // 2
        return self._ask(texts[:middle]) + self._ask(texts[middle:])

    def _predict(self, texts: Sequence[Input]) -> Sequence[Prediction | Mapping[str, Any]]:
        if isinstance(self._model, LoadedModel):
            return predict_texts(self._model, texts)
        found = self._model(texts)
        if len(found) != len(texts):
            raise OptionError(f"The model gave {len(found)} predictions for {len(texts)} texts: give one for each.")
        return found


def check_text(text: Input) -> None:
    """Refuse an input that is empty, or longer than the server reads.

    Raises:
        InputError: saying what would be right.
    """
    parts = {"The text": text} if isinstance(text, str) else {f"The text {name!r}": part for name, part in text.items()}
    if not any(part.strip() for part in parts.values()):
        raise InputError("The text is empty: give one to edit.")
    for what, part in parts.items():
        if len(part) > MAX_CHARACTERS:
            raise InputError(f"{what} has {len(part):,} characters: give at most {MAX_CHARACTERS:,}.")


def _read(item: Prediction | Mapping[str, Any]) -> Prediction | LmError:
    if isinstance(item, Prediction):
        error = getattr(item, "error", "")
        return InputError(error) if error else item
    if not isinstance(item, Mapping) or "label" not in item:
        raise OptionError("The model's answer is no prediction: give objects with a label and its probabilities.")
    probabilities = {str(name): float(value) for name, value in dict(item.get("probabilities", {})).items()}
    label = str(item["label"])
    return Prediction(0, label, float(item.get("score", probabilities.get(label, 0.0))), probabilities)


def _key(text: Input) -> str:
    return text if isinstance(text, str) else json.dumps(dict(text), ensure_ascii=False)
