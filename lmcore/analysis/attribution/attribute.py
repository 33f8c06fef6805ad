"""Which tokens speak for and against an output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import Asked, ask
from lmcore.analysis.attribution.methods import ATTRIBUTION
from lmcore.analysis.attribution.quantities import OneTarget
from lmcore.analysis.attribution.scoring import Found, score_texts
from lmcore.analysis.attribution.units import cut_units
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Report, Target


@dataclass(frozen=True, eq=False)
class Attribution:
    """Scores of a text's tokens.

    Attributes:
        reading: everything that the model reads, its own output up to the target included; special tokens and a
            decoder's template stay as they are, so that their scores are 0.
        scores: float32 of shape (tokens,), in the unit of the target (logits, or nats for a phrase); positive speaks for
            the target, negative against it. A black-box method scores units: each one's score is shared evenly among
            its tokens.
        target: what is explained.
        method: the method's name.
        parameters: every option.
        value: the target's output for the text.
        baseline_value: the same for the baseline; not a number for a method that looks at none.
        completeness_error: by how much the scores' sum misses value − baseline_value, as a share of it; not a number for
            a method whose scores need not sum to it (gradient norm, occlusion, leave one out, LIME).
        steps: points at which the model was differentiated, or different texts that it was asked about.
        fingerprint: hash of weights, tokens, target, method and options.
        output: what the model wrote, for a target in it.
    """

    reading: Reading
    scores: np.ndarray
    target: Target
    method: str
    parameters: Mapping[str, Any]
    value: float
    baseline_value: float
    completeness_error: float
    steps: int
    fingerprint: str
    output: str = ""

    @property
    def text_tokens(self) -> TextTokens:
        """The tokens with their places in the text."""
        return self.reading.tokens

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens as they are shown."""
        return self.reading.tokens.tokens

    @property
    def truncated(self) -> bool:
        """Whether only a part of the text was read; ``reading.tokens.cut_note`` says which."""
        return self.reading.tokens.truncated

    @property
    def unit(self) -> str:
        """What the method scores: the unit of a black-box method, else tokens."""
        return str(self.parameters.get("unit", "token"))

    def by_unit(self, kind: str = "") -> pd.DataFrame:
        """Return ``unit``, ``start``, ``end`` (characters) and ``score``, the sum over its tokens.

        Args:
            kind: ``token``, ``word``, ``phrase`` or ``sentence``; what the method scores where empty.
        """
        units = cut_units(self.reading, kind or self.unit, ~self.reading.tokens.special)
        return units.to_frame(units.sums(self.scores.astype(np.float64)))

    def by_word(self) -> pd.DataFrame:
        """Return ``word``, ``start``, ``end`` and ``score``, the sum over its tokens."""
        return self.text_tokens.sum_by_word(self.scores)

    def to_frame(self) -> pd.DataFrame:
        """Return ``token``, ``start``, ``end`` and ``score``."""
        start, end = self.text_tokens.offsets.T
        return pd.DataFrame({"token": self.tokens, "start": start, "end": end, "score": self.scores})


def attribute(
    loaded: LoadedModel,
    text: Input,
    target: Target | str | None = None,
    *,
    method: str = "integrated_gradients",
    output: str | None = None,
    report: Report | None = None,
    **options: object,
) -> Attribution:
    """Score the tokens of one text towards a target.

    Args:
        loaded: a model with a head.
        text: what it reads: a text, or each of the columns that its task reads.
        target: what is explained, or the name of a class, token or phrase; what the model predicts where None.
        method: a name of the registry ATTRIBUTION.
        output: for a model that writes, the text that is explained as if it had written it; its own where None.
        report: progress and cancellation.
        **options: the method's options.

    Raises:
        InputError: the text is empty, the model has no head, or it answers otherwise when it is given embeddings; the
            target has no place in what the model reads or writes; or a gradient is not a finite number.
        UnknownError: there is no such method or class.
        OptionError: an option is out of range, or the tokenizer has no such baseline token.
        Cancelled: the report asked to stop.
    """
    outputs = None if output is None else [output]
    return attribute_texts(loaded, [text], [target], method=method, outputs=outputs, report=report, **options)[0]


def attribute_texts(
    loaded: LoadedModel,
    texts: Sequence[Input],
    targets: Sequence[Target | str | None] | None = None,
    *,
    method: str = "integrated_gradients",
    outputs: Sequence[str] | None = None,
    report: Report | None = None,
    **options: object,
) -> list[Attribution]:
    """Score the tokens of many texts, in batches of like length; arguments and errors are those of `attribute`."""
    parameters = ATTRIBUTION[method].check(options)
    asked = ask(loaded, texts, targets, outputs, links=True)
    return attribute_asked(loaded, asked, method=method, parameters=parameters, report=report)


def attribute_asked(
    loaded: LoadedModel,
    asked: Sequence[Asked],
    *,
    method: str,
    parameters: Mapping[str, Any],
    report: Report | None = None,
) -> list[Attribution]:
    """Score the tokens of texts that were read; ``parameters`` has every option of the method."""
    found = score_texts(loaded, asked, OneTarget(loaded, asked), method, parameters, report)
    return [_attribution(loaded, each, scores, method, parameters) for each, scores in zip(asked, found, strict=True)]


def _attribution(
    loaded: LoadedModel, asked: Asked, found: Found, method: str, parameters: Mapping[str, Any]
) -> Attribution:
    ids = asked.reading.tokens.ids.tolist()
    return Attribution(
        reading=asked.reading,
        scores=found.scores[0].astype(np.float32),
        target=asked.target,
        method=method,
        parameters=parameters,
        value=float(found.value[0]),
        baseline_value=float(found.baseline_value[0]),
        completeness_error=float(found.completeness_error[0]),
        steps=found.steps,
        fingerprint=fingerprint(loaded.fingerprint, ids, str(asked.target), method, dict(parameters)),
        output=asked.output,
    )
