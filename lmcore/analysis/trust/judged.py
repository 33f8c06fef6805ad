"""A map whose trust can be measured: its scores, and how the same map is made of another text, or by another model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.attribution.attribute import Attribution, attribute_asked
from lmcore.analysis.attribution.units import Units
from lmcore.analysis.residual.direct_logits import LogitAttribution, attribute_asked_logits
from lmcore.analysis.residual.shares import StreamShares, asked_contributions
from lmcore.analysis.trust.verdict import SHOWS
from lmcore.models.load import LoadedModel
from lmcore.types import Report

SMALL = 1e-12
PLACE = ["layer", "block", "part"]

Again = Callable[[LoadedModel, Asked, Mapping[str, Any], Report], np.ndarray]


@dataclass(frozen=True, eq=False)
class Judged:
    """A map of one text.

    Attributes:
        asked: the text, and the output that words are taken away for.
        scores: one a token of the reading, or one a part of the model; float of shape (scores,). Not a number for a token of
            which the map says nothing.
        again: makes the same map, of another model or text, with other parameters.
        fingerprint: of the map.
        by_token: whether tokens are scored; of a map of a model's parts nothing is taken away, and no other method is asked.
        method: a name of the registry ATTRIBUTION where it is one, which is not compared with itself.
        parameters: with which it was made; methods that are compared with take those over that they have.
        unit: what is ranked where nothing else is asked for.
        signed: whether a score below 0 speaks against the target; else maps are compared by size.
        completeness_error: by how much the scores miss the sum that they promise, as a share of it; not a number where
            they promise none.
        shows: what the map shows where nothing speaks against it.
        caveat: a sentence that is said whatever the checks say.
    """

    asked: Asked
    scores: np.ndarray
    again: Again
    fingerprint: str
    by_token: bool = True
    method: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "word"
    signed: bool = True
    completeness_error: float = float("nan")
    shows: str = SHOWS
    caveat: str = ""

    def ranked(self, scores: np.ndarray, units: Units) -> np.ndarray:
        """Return what is ranked of such a map: the sum over each unit's tokens, or the scores as they are."""
        own = scores.astype(np.float64)
        return units.sums(own) if self.by_token else own


def judged_map(found: "Attribution | LogitAttribution | StreamShares | Judged") -> Judged:
    """Return a result as a map that can be judged."""
    if isinstance(found, Attribution):
        return _attribution(found)
    if isinstance(found, LogitAttribution):
        return _logit_parts(found)
    return _contributions(found) if isinstance(found, StreamShares) else found


def _attribution(found: Attribution) -> Judged:
    def again(loaded: LoadedModel, asked: Asked, parameters: Mapping[str, Any], report: Report) -> np.ndarray:
        (made,) = attribute_asked(loaded, [asked], method=found.method, parameters=parameters, report=report)
        return made.scores

    return Judged(
        Asked(found.reading, found.target, found.output), found.scores, again, found.fingerprint,
        method=found.method, parameters=found.parameters,
        unit=found.unit if "unit" in found.parameters else "word",
        signed=found.method != "gradient_norm", completeness_error=found.completeness_error,
    )  # fmt: skip


def _logit_parts(found: LogitAttribution) -> Judged:
    def again(loaded: LoadedModel, asked: Asked, _: Mapping[str, Any], report: Report) -> np.ndarray:
        scores: np.ndarray = attribute_asked_logits(loaded, asked, report=report).parts["score"].to_numpy()
        return scores

    return Judged(
        found.asked, found.parts["score"].to_numpy(), again, found.fingerprint, by_token=False,
        completeness_error=found.error / max(abs(found.value), SMALL),
        shows="it shows which parts add to the output by themselves, not whether the model is right",
    )  # fmt: skip


def _contributions(found: StreamShares) -> Judged:
    def again(loaded: LoadedModel, asked: Asked, _: Mapping[str, Any], report: Report) -> np.ndarray:
        return _mean_shares(asked_contributions(loaded, asked, report=report))

    return Judged(
        found.asked, _mean_shares(found), again, found.fingerprint, by_token=False, signed=False,
        shows="it shows what the vectors consist of, not what the output hangs on",
    )  # fmt: skip


def _mean_shares(found: StreamShares) -> np.ndarray:
    """Return each part's share on the mean of the tokens, block by block; without what came in, whose share is most of it."""
    added = found.shares[found.shares["part"] != "stream"]
    shares: np.ndarray = added.groupby(PLACE, sort=False)["share"].mean().to_numpy()
    return shares
