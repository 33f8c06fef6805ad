"""How far a map can be trusted: what it promises, what taking words away does, and what it hangs on."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import Asked, ask
from lmcore.analysis.attribution.attribute import Attribution, attribute_asked
from lmcore.analysis.attribution.erased import Erasing
from lmcore.analysis.attribution.methods import ATTRIBUTION
from lmcore.analysis.attribution.quantities import TargetProbability
from lmcore.analysis.attribution.scoring import text_units
from lmcore.analysis.attribution.units import Units
from lmcore.analysis.residual.direct_logits import LogitAttribution
from lmcore.analysis.residual.shares import StreamShares
from lmcore.analysis.trust.edits import columns_of_reading, small_edits
from lmcore.analysis.trust.erasure_curve import SHARES, ErasureCurve, erasure_curve, no_curve
from lmcore.analysis.trust.judged import Judged, judged_map
from lmcore.analysis.trust.randomised import randomised
from lmcore.analysis.trust.ranks import chance_correlation, rank_correlation
from lmcore.analysis.trust.verdict import said_of
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.methods import Option
from lmcore.models.load import LoadedModel
from lmcore.types import Part, Report, Silent

KEPT_WITHIN = 0.1
STEPS = 32
COMPARED = ("integrated_gradients", "input_x_gradient", "gradient_norm", "occlusion", "leave_one_out")


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """What is measured, and how thoroughly.

    Attributes:
        unit: what is ranked; the method's own unit, or words for a method that scores tokens, where empty.
        shares: of the units that are taken away or kept.
        baseline: how they are taken away: ``drop``, or the token in their place.
        methods: those that the map is compared with.
        draws: random rankings beside it.
        seeds: further seeds of a method that draws.
        edits: small edits of the text, at most.
        stages: models with more and more random weights; 0 leaves this check out.
        seed: of everything that is drawn here.
    """

    unit: str = ""
    shares: tuple[float, ...] = SHARES
    baseline: str = "drop"
    methods: tuple[str, ...] = COMPARED
    draws: int = 10
    seeds: int = 3
    edits: int = 4
    stages: int = 5
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What speaks for and against a map.

    Attributes:
        completeness_error: by how much the scores miss the sum that the method promises; not a number where it promises
            none.
        curve: comprehensiveness and sufficiency of the map and of random rankings, in probability.
        agreement: ``method``, ``correlation`` (Spearman's, over the units; by size for a method without signs) and
            ``note``, why there is none.
        seeds: rank correlation with the map of each further seed; empty for a method that draws nothing.
        edits: ``edit``, ``text``, ``change`` (of the target's probability), ``kept`` (whether that is at most 0.1 either
            way, so that the map should stay) and ``correlation``.
        randomised: ``weights`` that are random, ``correlation`` with the map.
        chance: the size that the correlation of two random rankings has at most, 95 times in 100.
        units: how many units are ranked.
        warning: one sentence that says what to make of it.
        settings: how it was measured.
        fingerprint: hash of the attribution's fingerprint and the settings.
    """

    completeness_error: float
    curve: ErasureCurve
    agreement: pd.DataFrame
    seeds: tuple[float, ...]
    edits: pd.DataFrame
    randomised: pd.DataFrame
    chance: float
    units: int
    settings: TrustSettings
    fingerprint: str
    warning: str = field(default="")

    @property
    def comprehensiveness(self) -> float:
        """The fall of the target's probability without the first units, on average over the shares; more is better."""
        return self.curve.mean("comprehensiveness")

    @property
    def sufficiency(self) -> float:
        """Its fall with only the first units, on average over the shares; less is better."""
        return self.curve.mean("sufficiency")

    @property
    def mean_agreement(self) -> float:
        """Mean rank correlation with the other methods, −1 to 1."""
        return _mean(self.agreement["correlation"])

    @property
    def seed_stability(self) -> float:
        """Mean rank correlation between seeds, −1 to 1; not a number for a method that draws nothing."""
        return _mean(self.seeds)

    @property
    def edit_stability(self) -> float:
        """Mean rank correlation with the maps of edits that leave the target as probable, −1 to 1."""
        return _mean(self.edits.loc[self.edits["kept"], "correlation"])

    @property
    def random_weights(self) -> float:
        """Rank correlation with the map of a model whose weights are all random; nearer to 0 is better."""
        return float(self.randomised["correlation"].iloc[-1]) if len(self.randomised) else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """Return ``check``, ``value``, ``reference`` (of a random map), ``better`` (more, less or nearer 0)."""
        low = -self.chance, self.chance
        chance = f"{low[0]:.2f} to {low[1]:.2f}"
        rows = [
            ("Completeness error", self.completeness_error, "", "less"),
            ("Comprehensiveness", self.comprehensiveness, self._random("comprehensiveness"), "more"),
            ("Sufficiency", self.sufficiency, self._random("sufficiency"), "less"),
            ("Agreement with other methods", self.mean_agreement, chance, "more"),
            ("Agreement between seeds", self.seed_stability, chance, "more"),
            ("Stability under small edits", self.edit_stability, chance, "more"),
            ("Likeness with random weights", self.random_weights, chance, "nearer 0"),
        ]
        return pd.DataFrame(rows, columns=["check", "value", "reference", "better"])

    def _random(self, name: str) -> str:
        return f"{self.curve.mean(f'random_{name}'):.3f} ± {self.curve.mean(f'spread_{name}'):.3f}"


def measure_faithfulness(
    loaded: LoadedModel,
    attribution: Attribution | LogitAttribution | StreamShares | Judged,
    *,
    settings: TrustSettings | None = None,
    report: Report | None = None,
    **options: Any,
) -> Faithfulness:
    """Measure how far a map can be trusted.

    Of a map of a model's parts (a logit's, the stream's) it is measured whether the scores add up, whether small edits of the
    text leave it as it is, and whether random weights do.

    Args:
        loaded: the model that was explained; it stays as it is, random weights are given to a twin.
        attribution: the map: an attribution, the parts of a logit, contributions to the stream, or attention (see
            `lmcore.analysis.judged_attention`).
        settings: what is measured; the defaults where None.
        report: progress and cancellation.
        **options: single fields of the settings, such as ``edits=2``.

    Raises:
        InputError: the map is of another model's tokens, or its text has nothing that could be taken away.
        OptionError: there is no such setting, or it is out of range.
        Cancelled: the report asked to stop.
    """
    settings, judged = trust_settings(settings, options), judged_map(attribution)
    report, asked = report or Silent(), judged.asked
    whole = text_units(loaded, asked.reading, settings.unit or judged.unit)
    scores = judged.ranked(judged.scores, whole)
    seen = np.isfinite(scores)
    if not seen.any():
        raise InputError("The map says nothing of any word: take another token, or a longer text.")
    units, scores = whole.chosen(seen) if judged.by_token else whole, scores[seen]
    erasing = Erasing(loaded, [asked], [units], settings.baseline, TargetProbability(loaded, [asked]))
    curve = (
        _curve(erasing, scores, settings, Part(report, 0.0, 0.2)) if judged.by_token else no_curve(erasing, len(units))
    )
    again = _Again(loaded, judged, whole, units, seen, scores)
    agreement = again.methods(settings.methods if judged.by_token else (), Part(report, 0.2, 0.5))
    seeds = again.seeds(settings.seeds, Part(report, 0.5, 0.6))
    edits = again.edits(settings, curve.probability, Part(report, 0.6, 0.75))
    random = again.random_weights(settings, Part(report, 0.75, 1.0))
    found = Faithfulness(
        judged.completeness_error, curve, agreement, seeds, edits, random, chance_correlation(len(scores)), len(scores),
        settings, fingerprint(judged.fingerprint, str(settings)),
    )  # fmt: skip
    return replace(found, warning=f"{said_of(found, judged.shows)} {judged.caveat}".strip())


def _curve(erasing: Erasing, scores: np.ndarray, settings: TrustSettings, report: Report) -> ErasureCurve:
    shares, draws, seed = settings.shares, settings.draws, settings.seed
    return erasure_curve(erasing, scores, shares=shares, draws=draws, seed=seed, report=report)


@dataclass(frozen=True, eq=False)
class _Again:
    """Maps of the same target made otherwise, each held against the first.

    Other methods take the same units and, where they have it, the same baseline.
    """

    loaded: LoadedModel
    judged: Judged
    whole: Units
    units: Units  # of them, those of which the map says something
    seen: np.ndarray
    scores: np.ndarray

    def methods(self, names: Sequence[str], report: Report) -> pd.DataFrame:
        """Return how alike the maps of other methods are; a method that cannot explain the model is noted."""
        rows = []
        chosen = [name for name in names if name != self.judged.method]
        for place, name in enumerate(chosen):
            report.check()
            options = options_like(name, {**self.judged.parameters, "unit": self.units.kind})
            signed = name != "gradient_norm" and self.judged.signed
            part = Part(report, place / len(chosen), (place + 1) / len(chosen))
            try:
                own = self._by_method(name, ATTRIBUTION[name].check(options), part)
            except InputError as error:
                rows.append((name, float("nan"), str(error)))
            else:
                alike = rank_correlation(*((self.scores, own) if signed else (np.abs(self.scores), np.abs(own))))
                rows.append((name, alike, "" if signed else "by size, without signs"))
            report.progress((place + 1) / len(chosen), "Comparing with other methods")
        return pd.DataFrame(rows, columns=["method", "correlation", "note"])

    def seeds(self, count: int, report: Report) -> tuple[float, ...]:
        """Return how alike the maps of further seeds are."""

        def again(parameters: Mapping[str, Any]) -> np.ndarray:
            return self._made(self.loaded, self.judged.asked, self.whole, parameters, Silent())

        return seed_correlations(self.scores, self.judged.parameters, again, count, report)

    def edits(self, settings: TrustSettings, probability: float, report: Report) -> pd.DataFrame:
        """Return how alike the maps of edited texts are, word by word."""
        rows, asked = [], self.judged.asked
        chosen = small_edits(asked, settings.edits, seed=settings.seed)
        for place, edit in enumerate(chosen):
            report.check()
            columns = {**columns_of_reading(asked), edit.column: edit.text}
            outputs = [asked.output] if asked.output else None
            other = ask(self.loaded, [columns], [asked.target], outputs, links=True)[0]
            units = text_units(self.loaded, other.reading, self.units.kind)
            erasing = Erasing(self.loaded, [other], [units], "drop", TargetProbability(self.loaded, [other]))
            change = no_curve(erasing, len(units)).probability - probability
            kept = abs(change) <= KEPT_WITHIN and (len(units) == len(self.whole) or not self.judged.by_token)
            alike = float("nan")
            if kept:
                part = Part(report, place / len(chosen), (place + 1) / len(chosen))
                with suppress(InputError):  # this text has no such map
                    alike = self._alike(self._made(self.loaded, other, units, self.judged.parameters, part))
            rows.append((edit.kind, edit.text, change, kept, alike))
            report.progress((place + 1) / len(chosen), "Editing the text")
        frame = pd.DataFrame(rows, columns=["edit", "text", "change", "kept", "correlation"])
        return frame.astype({"kept": bool})

    def random_weights(self, settings: TrustSettings, report: Report) -> pd.DataFrame:
        """Return how alike the maps of a twin are whose weights become random."""
        rows = []
        if settings.stages:
            for what, twin in randomised(self.loaded, stages=settings.stages, seed=settings.seed):
                report.check()
                try:
                    own = self._made(twin, self.judged.asked, self.whole, self.judged.parameters, Silent())
                    rows.append((what, self._alike(own)))
                except InputError:  # random weights may give no finite gradient
                    rows.append((what, float("nan")))
                report.progress(len(rows) / (settings.stages + 1), "Drawing the weights anew")
        return pd.DataFrame(rows, columns=["weights", "correlation"])

    def _alike(self, own: np.ndarray) -> float:
        return rank_correlation(self.scores, own) if len(own) == len(self.scores) else float("nan")

    def _made(
        self, loaded: LoadedModel, asked: Asked, units: Units, parameters: Mapping[str, Any], report: Report
    ) -> np.ndarray:
        """Return what is ranked of the same map, made of another model or text."""
        found = self.judged.ranked(self.judged.again(loaded, asked, parameters, report), units)
        return found[self.seen] if len(found) == len(self.seen) else found

    def _by_method(self, name: str, parameters: Mapping[str, Any], report: Report) -> np.ndarray:
        (found,) = attribute_asked(self.loaded, [self.judged.asked], method=name, parameters=parameters, report=report)
        return self.units.sums(found.scores.astype(np.float64))


def seed_correlations(
    scores: np.ndarray,
    parameters: Mapping[str, Any],
    again: Callable[[Mapping[str, Any]], np.ndarray],
    count: int,
    report: Report,
) -> tuple[float, ...]:
    """Return how alike a map and those of further seeds are; nothing where the method draws nothing.

    Args:
        scores: the map, shape (units,).
        parameters: with which it was made.
        again: makes it with other parameters.
        count: of further seeds.
        report: progress and cancellation.
    """
    if "seed" not in parameters:
        return ()
    found = []
    for n in range(count):
        report.check()
        found.append(rank_correlation(scores, again({**parameters, "seed": parameters["seed"] + n + 1})))
        report.progress((n + 1) / count, "Trying other seeds")
    return tuple(found)


def options_like(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with which another method is asked: the same units, and the same baseline where it has that."""
    known = {option.name: option for option in ATTRIBUTION[method].options}
    found: dict[str, Any] = {"steps": STEPS} if method == "integrated_gradients" else {}
    for name in ("unit", "baseline"):
        if name in known and parameters.get(name) in known[name].choices:
            found[name] = parameters[name]
    return found


def trust_settings(settings: TrustSettings | None, options: Mapping[str, Any]) -> TrustSettings:
    """Return settings with single fields changed.

    Raises:
        OptionError: there is no such setting, or it is out of range.
    """
    known = {name: getattr(settings or TrustSettings(), name) for name in TrustSettings.__slots__}
    for name in options:
        if name not in known:
            raise OptionError(f"measure_faithfulness has no option {name!r}; it takes: {', '.join(known)}.")
    known |= options
    shares = tuple(float(share) for share in known["shares"])
    if not shares or not all(0 < share <= 1 for share in shares):
        raise OptionError(f"The shares are {shares}: give numbers above 0 and up to 1.")
    for name in ("draws", "seeds", "edits", "stages", "seed"):
        Option(name, "int", 0, "", minimum=0).check(known[name])
    known["methods"] = tuple(known["methods"])
    for name in known["methods"]:
        ATTRIBUTION[name]
    return TrustSettings(**{**known, "shares": shares})


def _mean(values: Sequence[float] | pd.Series) -> float:
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else float("nan")
