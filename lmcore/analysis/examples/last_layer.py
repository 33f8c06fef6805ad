"""The gradient of each row's loss with respect to the last layer, in closed form."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.room import fitting_batch
from lmcore.errors import InputError
from lmcore.models.encode import Encodings
from lmcore.models.label_rows import output_layers
from lmcore.models.load import LoadedModel
from lmcore.models.predict import BATCH_SIZE, forward_batches
from lmcore.tasks import load_task
from lmcore.tasks.labelled import LabelTask, label_task
from lmcore.types import Report

_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class LastLayer:
    """What the gradients of some rows are made of: of weight and bias it is the outer product of an error and (features, 1).

    Attributes:
        rows: which rows, int64 of shape (rows,).
        features: what the last layer reads, with a 1 behind it where it has a bias, float64 of shape (rows, features).
        errors: gradient of the loss with respect to the logits, float64 of shape (rows, labels).
    """

    rows: np.ndarray
    features: np.ndarray
    errors: np.ndarray

    def products(self, other: "LastLayer") -> np.ndarray:
        """Return the dot product of each row's gradient with that of another's only row, shape (rows,)."""
        found: np.ndarray = (self.features @ other.features[0]) * (self.errors @ other.errors[0])
        return found


def last_layer_gradients(
    loaded: LoadedModel, frame: pd.DataFrame, encodings: Encodings, *, report: Report | None = None
) -> Iterator[LastLayer]:
    """Yield, batch by batch, what the gradients of the rows' losses are made of.

    The loss is the cross-entropy of a row's label; where labels do not exclude each other, the mean of the labels' binary
    cross-entropies, as it is trained. It is that of the logits themselves, without a temperature that was fitted later.

    Args:
        loaded: a model that gives a row one output for each label.
        frame: the rows, with their labels.
        encodings: the same rows as the model reads them.
        report: progress and cancellation.

    Raises:
        OptionError: the model's task gives rows no labels.
        DataError: a row has a label that the model does not know.
        InputError: the model's outputs are not made by a last linear layer that can be seen.
        Cancelled: the report asked to stop.
    """
    task = label_task(load_task(loaded.task))
    gold = task.gold(frame, loaded.labels)
    size = fitting_batch(loaded, int(encodings.lengths.max(initial=1)), BATCH_SIZE)
    implementation = str(getattr(loaded.model.base_model.config, "_attn_implementation", None) or "sdpa")
    # A twin that shares the weights: what is hooked to it sees no other thread's runs.
    with loaded.attention(implementation) as twin:
        layer = _output_layer(task, replace(loaded, model=twin))
        seen: list[Any] = []
        handle = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
        try:
            for rows, out in forward_batches(replace(loaded, model=twin), encodings, batch_size=size, report=report):
                features = _features(seen.pop(), encodings.lengths[rows])
                seen.clear()
                logits = out.logits.double().cpu().numpy()
                _check(loaded, layer, features, logits)
                if layer.bias is not None:
                    features = np.hstack([features, np.ones((len(features), 1))])
                yield LastLayer(rows, features, _errors(task, logits, gold[rows]))
        finally:
            handle.remove()


def _output_layer(task: LabelTask, loaded: LoadedModel) -> Any:
    try:
        names = output_layers(task, loaded.model, loaded.labels)
    except ValueError:  # the model has no linear layer at all
        names = {}
    if "logits" not in names:
        raise InputError(
            f"{loaded.ref} has no last linear layer that can be seen: choose a version that is not compressed."
        )
    return loaded.model.get_submodule(names["logits"])


def _features(inputs: Any, lengths: np.ndarray) -> np.ndarray:
    """Return what the layer read of each row; of a decoder, which has an output for each token, at the last one."""
    values: np.ndarray = inputs.double().cpu().numpy()
    return values[np.arange(len(values)), lengths - 1] if values.ndim == 3 else values


def _check(loaded: LoadedModel, layer: Any, features: np.ndarray, logits: np.ndarray) -> None:
    made = features @ layer.weight.detach().double().cpu().numpy().T
    if layer.bias is not None:
        made = made + layer.bias.detach().double().cpu().numpy()
    if made.shape != logits.shape or not np.abs(made - logits).max() <= _TOLERANCE * max(1.0, np.abs(logits).max()):
        raise InputError(
            f"{loaded.ref} does not make its outputs by its last linear layer alone, so that the influence would not be that "
            "of what it uses: choose another model."
        )


def _errors(task: LabelTask, logits: np.ndarray, gold: np.ndarray) -> np.ndarray:
    from scipy.special import expit, softmax

    if not task.exclusive:
        spread: np.ndarray = (expit(logits) - gold) / logits.shape[1]
        return spread
    errors: np.ndarray = softmax(logits, axis=1)
    errors[np.arange(len(gold)), gold] -= 1.0
    return errors
