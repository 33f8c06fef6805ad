"""How much what a model says hangs on each attention head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.attention.head_objective import choose_objective
from lmcore.analysis.attention.importance_methods import IMPORTANCE
from lmcore.analysis.attention.run import Kind, attention_kinds, attention_shape
from lmcore.analysis.room import check_room
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint, fingerprint_frame
from lmcore.models.head_gates import head_parts
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Report, Silent, Target


@dataclass(frozen=True, eq=False)
class HeadImportance:
    """How much an output hangs on each head.

    Attributes:
        values: float64 of shape (layers, heads), in ``unit``. By gradient how steeply the output changes with the head, from
            0; by ablation how much it falls without it, below 0 where it rises.
        method: a name of the registry IMPORTANCE.
        kind: which attention: ``encoder``, ``decoder`` or ``cross``.
        said: what the output is, in a few words.
        unit: ``logits``, ``nats`` or ``share``.
        texts: how many texts, or windows of them, it is the mean over.
        parameters: every option of the method.
        fingerprint: hash of weights, texts, output, method and options.
    """

    values: np.ndarray
    method: str
    kind: Kind
    said: str
    unit: str
    texts: int
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return ``layer`` and ``head`` (counted from 1) and ``importance``, the largest without its sign first."""
        layers, heads = (places.ravel() + 1 for places in np.indices(self.values.shape))
        frame = pd.DataFrame({"layer": layers, "head": heads, "importance": self.values.ravel()})
        return frame.sort_values("importance", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def head_importance(
    loaded: LoadedModel,
    texts: "Input | Sequence[Input] | pd.DataFrame",
    target: Target | None = None,
    *,
    method: str = "gradient",
    kind: Kind | Literal["self"] = "self",
    output: str | None = None,
    report: Report | None = None,
    **options: object,
) -> HeadImportance:
    """Judge every head by what becomes of an output.

    What the output is hangs on the model: what its task can explain, in logits (a class, a tag, an answer) or nats (what it
    writes); of a decoder of which nothing is asked the mean log-probability of the text's own tokens; for a model without a
    head the share of the text's own mean vector that is left; and, over labelled rows, the loss with its sign turned.

    Args:
        loaded: the model.
        texts: a text, or several, or a frame of rows of the model's task with their labels.
        target: what is explained; where None what the model predicts, or the whole of what it writes.
        method: a name of the registry IMPORTANCE.
        kind: which attention: the model's main one, or of an encoder-decoder also ``decoder`` and ``cross``.
        output: of an encoder-decoder what it is to have written; what it writes by itself where None.
        report: progress and cancellation.
        **options: the method's options.

    Raises:
        InputError: a text is empty, or the model has no such attention, target or output.
        UnknownError: there is no such method or class.
        OptionError: an option is out of range, or the model's heads cannot be told apart.
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    chosen = IMPORTANCE[method]
    parameters = chosen.check(options)
    wanted = _kind(loaded, kind)
    parts = head_parts(loaded.model, wanted)
    several: Sequence[Input] | pd.DataFrame = [texts] if isinstance(texts, str | Mapping) else texts
    objective = choose_objective(loaded, several, target, output)
    check_room(loaded, max(objective.widths), gradients=method == "gradient")
    # Hooks on the model itself would be met by other threads: they sit on a twin that shares its weights.
    values: np.ndarray = chosen.load()(loaded.twin(), parts, objective, report or Silent(), **parameters)
    read = fingerprint_frame(several) if isinstance(several, pd.DataFrame) else [_plain(text) for text in several]
    return HeadImportance(
        values=values,
        method=method,
        kind=wanted,
        said=objective.said,
        unit=objective.unit,
        texts=len(objective.values),
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint, read, str(target), output, method, wanted, parameters),
    )


def importance_passes(
    loaded: LoadedModel, method: str, *, kind: Kind | Literal["self"] = "self", texts: int = 1
) -> int:
    """Return how many times the model will be run over a text: what the method costs, known before it runs.

    A gradient counts as three passes, since its way back takes about as long as two.
    """
    IMPORTANCE[method]
    shape = attention_shape(loaded, _kind(loaded, kind))
    return texts * (3 if method == "gradient" else 1 + shape.layers * shape.heads)


def _kind(loaded: LoadedModel, kind: Kind | Literal["self"]) -> Kind:
    kinds = attention_kinds(loaded)
    wanted = kinds[0] if kind == "self" else kind
    if wanted not in kinds:
        raise InputError(f"{loaded.ref} has no {wanted} attention; it has: {', '.join(kinds)}.")
    return wanted


def _plain(text: Input) -> Any:
    return text if isinstance(text, str) else dict(text)
