"""How far a map of a server's answers can be trusted: what can be measured without the model's weights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.served.asking import Asking, Client
from lmcore.analysis.served.attribution import ServedAttribution, attribution_of, served_options
from lmcore.analysis.trust.edits import text_edits
from lmcore.analysis.trust.erasure_curve import erasure_curve
from lmcore.analysis.trust.faithfulness import (
    KEPT_WITHIN,
    Faithfulness,
    TrustSettings,
    options_like,
    seed_correlations,
    trust_settings,
)
from lmcore.analysis.trust.ranks import chance_correlation, rank_correlation
from lmcore.analysis.trust.verdict import said_of
from lmcore.errors import InputError, ServerError
from lmcore.fingerprint import fingerprint
from lmcore.types import Input, Part, Report, Silent

COMPARED = ("occlusion", "leave_one_out", "lime", "partition_shapley")


def measure_served(
    client: Client,
    attribution: ServedAttribution,
    *,
    settings: TrustSettings | None = None,
    report: Report | None = None,
    **options: object,
) -> Faithfulness:
    """Measure how far a map of a server's answers can be trusted.

    It is what `lmcore.analysis.measure_faithfulness` measures, but for random weights, which only the model itself can be
    given; words are left out, and the methods that are compared with are those that need answers alone.

    Args:
        client: what the map was made with.
        attribution: the map.
        settings: what is measured; ``unit``, ``baseline`` and ``stages`` are those of the map, ``drop`` and 0.
        report: progress and cancellation.
        **options: single fields of the settings, such as ``edits=2``.

    Raises:
        OptionError: there is no such setting, or it is out of range.
        ServerError: the server did not answer as it should, or answers by another model now.
        Cancelled: the report asked to stop.
    """
    chosen = trust_settings(settings or TrustSettings(methods=COMPARED), options)
    unit = str(attribution.parameters["unit"])
    chosen = replace(chosen, unit=unit, baseline="drop", stages=0)
    report = report or Silent()
    asking = Asking(client, attribution.text, unit, attribution.target)
    if asking.version != attribution.version:
        raise ServerError(
            f"The server changed from {attribution.version} to {asking.version} meanwhile: explain the text again."
        )
    again = _Again(client, attribution, asking, attribution.units["score"].to_numpy(dtype=np.float64))
    curve = erasure_curve(
        asking, again.scores, shares=chosen.shares, draws=chosen.draws, seed=chosen.seed, report=Part(report, 0.0, 0.3)
    )
    agreement = again.methods(chosen, Part(report, 0.3, 0.7))
    seeds = again.seeds(chosen.seeds, Part(report, 0.7, 0.8))
    edits = again.edits(chosen, Part(report, 0.8, 1.0))
    random = pd.DataFrame({"weights": pd.Series(dtype="str"), "correlation": pd.Series(dtype="float64")})
    found = Faithfulness(
        attribution.completeness_error, curve, agreement, seeds, edits, random, chance_correlation(len(asking.units)),
        len(asking.units), chosen, fingerprint(attribution.fingerprint, str(chosen)),
    )  # fmt: skip
    return replace(found, warning=said_of(found))


@dataclass(frozen=True, eq=False)
class _Again:
    """Maps of the same target made otherwise, each held against the first."""

    client: Client
    attribution: ServedAttribution
    asking: Asking
    scores: np.ndarray

    def methods(self, settings: TrustSettings, report: Report) -> pd.DataFrame:
        """Return how alike the maps of other methods are."""
        rows = []
        chosen = [name for name in settings.methods if name != self.attribution.method]
        for place, name in enumerate(chosen):
            report.check()
            parameters = served_options(name, options_like(name, self.attribution.parameters))
            rows.append((name, rank_correlation(self.scores, self._scores(self.asking, name, parameters)), ""))
            report.progress((place + 1) / len(chosen), "Comparing with other methods")
        return pd.DataFrame(rows, columns=["method", "correlation", "note"])

    def seeds(self, count: int, report: Report) -> tuple[float, ...]:
        """Return how alike the maps of further seeds are."""
        again = partial(self._scores, self.asking, self.attribution.method)
        return seed_correlations(self.scores, self.attribution.parameters, again, count, report)

    def edits(self, settings: TrustSettings, report: Report) -> pd.DataFrame:
        """Return how alike the maps of edited texts are, word by word."""
        whole, target, parameters = self.attribution.text, self.attribution.target, self.attribution.parameters
        column, text = ("text", whole) if isinstance(whole, str) else list(whole.items())[-1]
        rows = []
        chosen = text_edits(column, text, target, settings.edits, seed=settings.seed)
        for place, edit in enumerate(chosen):
            report.check()
            edited: Input = edit.text if isinstance(whole, str) else {**whole, column: edit.text}
            change, alike = self.asking.worth([edited])[0] - self.attribution.value, float("nan")
            kept = abs(change) <= KEPT_WITHIN
            if kept:
                try:
                    other = Asking(self.client, edited, str(parameters["unit"]), target)
                except InputError:  # the edited text has nothing of the target: its map cannot be made
                    kept = False
                else:
                    own = self._scores(other, self.attribution.method, parameters)
                    kept = len(own) == len(self.scores)
                    alike = rank_correlation(self.scores, own) if kept else alike
            rows.append((edit.kind, edit.text, change, kept, alike))
            report.progress((place + 1) / len(chosen), "Editing the text")
        frame = pd.DataFrame(rows, columns=["edit", "text", "change", "kept", "correlation"])
        return frame.astype({"kept": bool})

    def _scores(self, asking: Asking, method: str, parameters: Mapping[str, Any]) -> np.ndarray:
        return attribution_of(asking, method, parameters).units["score"].to_numpy(dtype=np.float64)
