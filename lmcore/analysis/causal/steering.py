"""Steering: a direction between two sets of texts, added to the residual stream (Turner et al. 2023; Rimsky et al. 2024)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.causal.interventions import parts_of, twin_of
from lmcore.analysis.causal.reference import read_all, token_values
from lmcore.analysis.runs import among_read, read_where_written, run_tokens, target_values
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.components import Component
from lmcore.models.components import replace as replaced
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.types import Input, Part, Prediction, Report, Silent, Target

if TYPE_CHECKING:
    from lmcore.models.reading import Reading

Reads = Literal["mean", "last"]
STRENGTHS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
MAX_STRENGTH = 100.0


@dataclass(frozen=True, eq=False)
class Direction:
    """Which way two sets of texts differ at a layer.

    Attributes:
        vector: from the second set's mean to the first one's, of length 1, float32 of shape (features,).
        layer: whose residual stream it belongs to, from 0 (the embedding).
        stack: ``layers``, ``encoder`` or ``decoder``.
        reads: whether each text counts by the mean of its tokens, or by its last one.
        distance: between the two means, in units of ``size``.
        size: the median length of a token's vector there.
        separation: how well the direction tells the sets apart, as the share of pairs in the right order: 1 for all, 0.5
            for none better than chance; measured on the same texts.
        texts: how many there are in each set.
        model: fingerprint of the model.
        fingerprint: hash of model, texts and parameters.
    """

    vector: np.ndarray
    layer: int
    stack: str
    reads: Reads
    distance: float
    size: float
    separation: float
    texts: tuple[int, int]
    model: str
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Steering:
    """What a model says with a direction added, and without.

    Attributes:
        before: what it predicts as it is.
        after: what it predicts with the direction added.
        strength: how much of it, in units of the residual stream's size.
        curve: ``strength`` and ``value``, the target's, in logits (nats for a phrase).
        target: what is measured.
        output: what the model wrote as it is, or is taken to have written: the text in which the target has its place.
        direction: what was added.
        fingerprint: hash of weights, text, direction and strengths.
    """

    before: Prediction
    after: Prediction
    strength: float
    curve: pd.DataFrame
    target: Target
    output: str
    direction: Direction
    fingerprint: str

    def value(self, strength: float) -> float:
        """Return the target's value at one of the strengths of the curve.

        Raises:
            OptionError: it is none of them.
        """
        found = self.curve.loc[np.isclose(self.curve["strength"], strength), "value"]
        if found.empty:
            raise OptionError(f"The strength {strength:g} was not measured: take one of the curve.")
        return float(found.iloc[0])

    def to_frame(self) -> pd.DataFrame:
        """Return the curve."""
        return self.curve


def find_direction(
    loaded: LoadedModel,
    towards: Sequence[Input],
    away: Sequence[Input],
    *,
    layer: int | None = None,
    stack: str = "",
    reads: Reads = "mean",
    report: Report | None = None,
) -> Direction:
    """Return the difference of the means of two sets of texts at a layer.

    Args:
        loaded: a model with a head.
        towards: texts that have what is to be added.
        away: texts that lack it, else as like the others as can be.
        layer: from 0, the embedding; the one in the middle where None.
        stack: of an encoder-decoder ``encoder`` (where empty) or ``decoder``.
        reads: ``mean`` of a text's tokens, or its ``last`` one.
        report: progress and cancellation.

    Raises:
        InputError: a set is empty, a text is, or both sets have the same mean.
        OptionError: the model has no such layer or stack, or ``reads`` is another word.
        Cancelled: the report asked to stop.
    """
    if reads not in ("mean", "last"):
        raise OptionError(f"Texts are read by their {reads!r}: take mean or last.")
    if not towards or not away:
        raise InputError("A direction needs two sets of texts: give at least one text in each.")
    report = report or Silent()
    twin = twin_of(loaded)
    part = _residual(twin, stack, layer)
    both = [
        _set_vectors(twin, texts, part, reads, Part(report, n / 2, (n + 1) / 2))
        for n, texts in enumerate((towards, away))
    ]
    (first, lengths), (second, others) = both
    size = float(np.median(np.concatenate([lengths, others])))
    vector, length = _difference(first, second, size)
    return Direction(
        vector=vector.astype(np.float32),
        layer=part.layer,
        stack=part.stack,
        reads=reads,
        distance=length / size,
        size=size,
        separation=_separation(first @ vector, second @ vector),
        texts=(len(first), len(second)),
        model=loaded.fingerprint,
        fingerprint=fingerprint(
            "direction",
            loaded.fingerprint,
            [list(map(str, towards)), list(map(str, away))],
            part.layer,
            part.stack,
            reads,
        ),
    )


def steer(
    loaded: LoadedModel,
    text: Input,
    direction: Direction,
    *,
    strength: float = 0.5,
    target: Target | None = None,
    output: str | None = None,
    strengths: Sequence[float] = STRENGTHS,
    report: Report | None = None,
) -> Steering:
    """Add a direction to every token's vector at its layer, and see what the model says then.

    The model that is given stays as it is: a twin that shares its weights is steered. It costs one prediction before and
    one after, and one run for each strength.

    Args:
        loaded: the model that the direction was found in.
        text: what it reads.
        direction: what is added.
        strength: how much of it, in units of the residual stream's size; negative for the other way.
        target: whose value is followed; what the model predicts where None.
        output: for a model that writes, the text in which the target has its place; its own where None.
        strengths: of the curve; 0 and ``strength`` are added.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, or the direction is another model's.
        UnknownError: there is no such class.
        OptionError: a strength is above 100 or no number.
        Cancelled: the report asked to stop.
    """
    every = np.unique(np.array([*strengths, 0.0, strength], dtype=np.float64))
    if not (np.isfinite(every).all() and np.abs(every).max() <= MAX_STRENGTH):
        raise OptionError(f"A strength is out of range: give numbers from {-MAX_STRENGTH:g} to {MAX_STRENGTH:g}.")
    if direction.model != loaded.fingerprint:
        raise InputError(f"The direction was not found in {loaded.ref}: find one in it.")
    report = report or Silent()
    before = predict_texts(loaded.widest, [text])[0]
    report.check()
    report.progress(0.3, "Predicted as the model is")
    asked = ask(loaded, [text], [target], None if output is None else [output])[0]
    twin = twin_of(loaded)
    part = _residual(twin, direction.stack, direction.layer)
    values = [_steered_value(twin, asked.reading, asked.target, part, direction, one) for one in every.tolist()]
    report.check()
    report.progress(0.6, f"{len(every)} strengths measured")
    with _steered(twin, part, direction, strength):
        after = predict_texts(twin.widest, [text])[0]
    return Steering(
        before=before,
        after=after,
        strength=strength,
        curve=pd.DataFrame({"strength": every, "value": values}),
        target=asked.target,
        output=asked.output,
        direction=direction,
        fingerprint=fingerprint(
            loaded.fingerprint, asked.reading.tokens.ids.tolist(), str(asked.target), direction.fingerprint,
            every.tolist(), strength,
        ),
    )  # fmt: skip


def _residual(twin: LoadedModel, stack: str, layer: int | None) -> Component:
    """Return the residual stream of one layer; the middle one where none is named."""
    joined = bool(getattr(twin.model.base_model.config, "is_encoder_decoder", False))
    parts = parts_of(twin, "residual", stack or ("encoder" if joined else ""))
    number = len(parts) // 2 if layer is None else layer
    if not 0 <= number < len(parts):
        raise OptionError(f"There is no layer {number}: take 0 (the embedding) to {len(parts) - 1}.")
    return parts[number]


def _set_vectors(
    twin: LoadedModel, texts: Sequence[Input], part: Component, reads: Reads, report: Report
) -> tuple[np.ndarray, np.ndarray]:
    """Return the vector of each text, (texts, features), and the length of each token's, (tokens,)."""
    readings = read_all(twin, texts)
    found = token_values(twin, readings, [part], report)
    vectors, lengths = [], []
    for reading, each in zip(readings, found, strict=True):
        values = each[part].double().cpu().numpy()
        special = (
            reading.tokens.special[: len(values)] if part.stack != "decoder" else np.zeros(len(values), dtype=bool)
        )
        own = values[~special]
        vectors.append(own.mean(axis=0) if reads == "mean" else own[-1])
        lengths.append(np.linalg.norm(own, axis=1))
    return np.stack(vectors), np.concatenate(lengths)


def _difference(first: np.ndarray, second: np.ndarray, size: float) -> tuple[np.ndarray, float]:
    """Return the way from the second set's mean to the first one's, of length 1, and how long it is.

    Raises:
        InputError: the means are the same, next to ``size``.
    """
    between = first.mean(axis=0) - second.mean(axis=0)
    length = float(np.linalg.norm(between))
    if length <= 1e-6 * size:
        raise InputError("Both sets have the same mean at this layer: give texts that differ.")
    return between / length, length


def _separation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pairs of which the first set's number is the larger; an equal pair counts as half."""
    ahead = first[:, None] - second[None]
    return float(((ahead > 0) + 0.5 * (ahead == 0)).mean())


@contextmanager
def _steered(twin: LoadedModel, part: Component, direction: Direction, strength: float) -> Iterator[None]:
    import torch

    added = torch.from_numpy(strength * direction.size * direction.vector).to(twin.device)
    with replaced(twin.model, part, lambda values: values + added.to(values)):
        yield


def _steered_value(
    twin: LoadedModel, reading: "Reading", target: Target, part: Component, direction: Direction, strength: float
) -> float:
    import torch

    with torch.inference_mode(), _steered(twin, part, direction, strength):
        out: Any = run_tokens(twin, [reading], **read_where_written(twin, [reading]))
        return float(target_values(twin, out, among_read(twin, [reading]), [target])[0])
