"""Which tokens of what was read, and of what was written before, each written token comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import Asked, ask
from lmcore.analysis.attribution.methods import ATTRIBUTION
from lmcore.analysis.attribution.quantities import OBJECTIVES, EveryToken
from lmcore.analysis.attribution.scoring import Found, score_texts
from lmcore.analysis.attribution.units import Units, cut_units
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.reading import OUTPUT, Reading
from lmcore.types import Input, Report, Target

INPUT = "input"


@dataclass(frozen=True, eq=False)
class OutputAttribution:
    """Scores of what was read towards each token that was written.

    Attributes:
        reading: everything that the model reads: the input, then what it wrote itself.
        outputs: the written tokens as they are shown.
        scores: float32 of shape (tokens, outputs); positive makes the written token more probable. What stands behind
            a written token scores 0 towards it.
        values: of each written token, in the objective's unit, float64 of shape (outputs,).
        baseline_values: the same for the baseline.
        completeness_errors: see `lmcore.analysis.attribution.attribute.Attribution`, shape (outputs,).
        method: the method's name.
        objective: ``log_probability`` (nats), ``probability`` (0 to 1) or ``logit``.
        parameters: every option.
        output: what was written.
        steps: points at which the model was differentiated, or different texts that it was asked about.
        fingerprint: hash of weights, tokens, method, objective and options.
    """

    reading: Reading
    outputs: tuple[str, ...]
    scores: np.ndarray
    values: np.ndarray
    baseline_values: np.ndarray
    completeness_errors: np.ndarray
    method: str
    objective: str
    parameters: Mapping[str, Any]
    output: str
    steps: int
    fingerprint: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that are read, as they are shown."""
        return self.reading.tokens.tokens

    @property
    def parts(self) -> np.ndarray:
        """Whether each token belongs to the ``input`` (the cross part) or to the ``output`` itself (the self part)."""
        starts = self.reading.tokens.offsets[:, 0]
        written = (starts >= self.reading.parts[OUTPUT]) & ~self.reading.tokens.special
        own_stack = np.arange(len(self.reading)) >= self.reading.first
        return np.where(written | own_stack, OUTPUT, INPUT)

    def shares(self) -> pd.DataFrame:
        """Return for each written ``token`` how much of the scores' size stands in the ``input`` and in the ``output``."""
        sizes = np.abs(self.scores.astype(np.float64))
        cross = sizes[self.parts == INPUT].sum(axis=0)
        whole = np.maximum(sizes.sum(axis=0), np.finfo(np.float64).tiny)
        return pd.DataFrame({"token": self.outputs, INPUT: cross / whole, OUTPUT: 1 - cross / whole})

    def units(self, kind: str = "") -> Units:
        """Return the tokens, words, phrases or sentences that were read; what the method scores where empty."""
        kind = kind or str(self.parameters.get("unit", "token"))
        return cut_units(self.reading, kind, ~self.reading.tokens.special)

    def by_unit(self, kind: str = "") -> pd.DataFrame:
        """Return ``unit``, ``part``, ``output`` (the written token), their ``position``s and the ``score``, one a pair."""
        units = self.units(kind)
        parts = [str(self.parts[places[0]]) for places in units.places]
        sums = np.stack([self.scores[places].sum(axis=0) for places in units.places])
        count = len(self.outputs)
        return pd.DataFrame(
            {
                "position": np.repeat(np.arange(len(units)), count),
                "unit": np.repeat(np.array(units.names, dtype=object), count),
                "part": np.repeat(parts, count),
                "output_position": np.tile(np.arange(count), len(units)),
                "output": np.tile(np.array(self.outputs, dtype=object), len(units)),
                "score": sums.ravel(),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the same for every token."""
        return self.by_unit("token")


def attribute_output(
    loaded: LoadedModel,
    text: Input,
    *,
    output: str | None = None,
    method: str = "integrated_gradients",
    objective: str = "log_probability",
    report: Report | None = None,
    **options: object,
) -> OutputAttribution:
    """Score everything that a model reads towards every token that it writes; one pass serves all of them.

    Integrated gradients of the objective ``probability`` with the baseline ``unknown`` are those of inseq (Sarti et al. 2023).

    Args:
        loaded: a decoder or encoder-decoder with a task's head.
        text: what it reads: a text, or each of the columns that its task reads.
        output: the text that is explained as if the model had written it; its own where None.
        method: a name of the registry ATTRIBUTION.
        objective: what is explained of each token, given those before it: ``log_probability``, ``probability`` or ``logit``.
        report: progress and cancellation.
        **options: the method's options.

    Raises:
        InputError: see `lmcore.analysis.attribute`; or the model writes no text.
        OptionError: an option is out of range, or there is no such objective.
        Cancelled: the report asked to stop.
    """
    outputs = None if output is None else [output]
    return attribute_outputs(
        loaded, [text], outputs=outputs, method=method, objective=objective, report=report, **options
    )[0]


def attribute_outputs(
    loaded: LoadedModel,
    texts: Sequence[Input],
    *,
    outputs: Sequence[str] | None = None,
    method: str = "integrated_gradients",
    objective: str = "log_probability",
    report: Report | None = None,
    **options: object,
) -> list[OutputAttribution]:
    """Do so for many texts, in batches of like length; arguments and errors are those of `attribute_output`."""
    parameters = ATTRIBUTION[method].check(options)
    if objective not in OBJECTIVES:
        raise OptionError(f"The objective is {objective!r}: give one of {', '.join(OBJECTIVES)}.")
    asked = ask(loaded, texts, [Target("phrase")] * len(texts), outputs)
    for each in asked:
        written = each.reading.written
        if not len(written) or (written.ids < 0).any():
            raise InputError("The model wrote nothing here that could be explained: choose a task that writes text.")
    width = max((len(each.reading.written) for each in asked), default=0)
    found = score_texts(loaded, asked, EveryToken(loaded, objective, width), method, parameters, report)
    return [
        _attribution(loaded, each, scores, method, objective, parameters)
        for each, scores in zip(asked, found, strict=True)
    ]


def _attribution(
    loaded: LoadedModel, asked: Asked, found: Found, method: str, objective: str, parameters: Mapping[str, Any]
) -> OutputAttribution:
    reading = asked.reading
    count = len(reading.written)
    ids = [reading.tokens.ids.tolist(), reading.written.ids.tolist()]
    return OutputAttribution(
        reading=reading,
        outputs=reading.written.tokens,
        scores=found.scores[:count].T.astype(np.float32),
        values=found.value[:count],
        baseline_values=found.baseline_value[:count],
        completeness_errors=found.completeness_error[:count],
        method=method,
        objective=objective,
        parameters=parameters,
        output=asked.output,
        steps=found.steps,
        fingerprint=fingerprint(loaded.fingerprint, ids, method, objective, dict(parameters)),
    )
