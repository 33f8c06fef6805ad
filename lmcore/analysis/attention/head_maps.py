"""A map of a model's layers or heads: those with like parameters, or that look alike, lie close."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.attention.unit_vectors import Unit, attention_blocks, coordinates, parameter_blocks
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.projection.maps import project
from lmcore.types import Part, Report, Silent

What = Literal["parameters", "attention"]


@dataclass(frozen=True, eq=False)
class HeadMap:
    """Where layers or heads lie on a map.

    Attributes:
        points: ``id`` (such as ``layer 3 head 5``), ``stack`` (of an encoder-decoder), ``layer`` and ``head`` from 1 (0 for a
            whole layer), ``x``, ``y`` and, in three dimensions, ``z``.
        distances: Euclidean distances between the whole vectors, float32 of shape (units, units).
        what: what the vectors hold.
        method: the projection.
        parameters: its options, with the values that were in effect.
        explained_variance: share of the variance along each axis, 0 to 1; None except for PCA.
        fingerprint: hash of weights, texts and parameters.
    """

    points: pd.DataFrame
    distances: np.ndarray
    what: What
    method: str
    parameters: Mapping[str, Any]
    explained_variance: tuple[float, ...] | None
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the points."""
        return self.points


def map_heads(
    loaded: LoadedModel,
    *,
    what: What = "parameters",
    unit: Unit = "head",
    texts: Sequence[str] = (),
    method: str = "pca",
    options: Mapping[str, object] | None = None,
    report: Report | None = None,
) -> HeadMap:
    """Lay out a model's layers or heads by their parameters, or by their attention over some texts.

    Args:
        loaded: any model; the attention of an encoder-decoder is its encoder's.
        what: ``parameters`` or ``attention``.
        unit: ``head`` or ``layer``.
        texts: for attention, what is read, each cut after 64 tokens.
        method: a name of the registry PROJECTION.
        options: its options.
        report: progress and cancellation.

    Raises:
        OptionError: the model's layers or heads cannot be told apart, or an option is out of range.
        InputError: there are no texts to look at the attention over, or the model gives none.
        UnknownError: there is no such projection.
        DataError: there are too few units for the projection.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    if what not in ("parameters", "attention") or unit not in ("head", "layer"):
        raise OptionError(f"{what!r} of each {unit!r} cannot be mapped: give parameters or attention, head or layer.")
    if what == "attention":
        units, blocks = attention_blocks(loaded, texts, unit, report=Part(report, 0.0, 0.8))
    else:
        units, blocks = parameter_blocks(loaded, unit)
    places = coordinates(blocks)
    given: dict[str, Any] = dict(options or {})
    drawn = project(places, method=method, quality=False, report=Part(report, 0.8, 1.0), **given)
    points = drawn.to_frame().drop(columns="id")
    named = {"id": units.ids, "stack": list(units.stacks), "layer": units.layers, "head": units.heads}
    read = list(texts) if what == "attention" else []
    return HeadMap(
        points=pd.concat([pd.DataFrame(named), points], axis=1),
        distances=_distances(places),
        what=what,
        method=method,
        parameters=drawn.parameters,
        explained_variance=drawn.explained_variance,
        fingerprint=fingerprint(loaded.fingerprint, what, unit, read, method, dict(drawn.parameters)),
    )


def _distances(places: np.ndarray) -> np.ndarray:
    squares = np.square(places).sum(axis=1)
    found = np.maximum(squares[:, None] + squares[None] - 2 * places @ places.T, 0)
    np.fill_diagonal(found, 0)
    apart: np.ndarray = np.sqrt(found).astype(np.float32)
    return apart
