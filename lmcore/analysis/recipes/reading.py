"""Recipes of what stands inside a model as it reads: lens, parts of the logit, probabilities, activations, alignment."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from lmcore.analysis.recipes.stored import Stored
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Target

if TYPE_CHECKING:
    from lmcore.analysis.alignment import WordAlignment
    from lmcore.analysis.lens.logit_lens import LogitLens
    from lmcore.analysis.probabilities import TokenProbabilities
    from lmcore.analysis.residual.direct_logits import LogitAttribution


def lens(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], output: str, lens: str, top: int
) -> "LogitLens":
    """Read the layers through the plain lens, or through a trained one by its id, which is its fingerprint."""
    from lmcore.analysis.lens.kept import load_lens
    from lmcore.analysis.lens.logit_lens import logit_lens

    tuned = load_lens(stored.workspace, lens) if lens else None
    return logit_lens(loaded, text, Target(**target), output=output or None, lens=tuned, top=top, report=stored.report)


def logit_parts(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], output: str
) -> "LogitAttribution":
    """Take a logit apart; see `lmcore.analysis.residual.direct_logits.attribute_logits`."""
    from lmcore.analysis.residual.direct_logits import attribute_logits

    return attribute_logits(loaded, text, Target(**target), output=output or None, report=stored.report)


def probabilities(
    loaded: LoadedModel, stored: Stored, *, text: str, output: str, alternatives: int
) -> "TokenProbabilities":
    """Say how probable each token is; see `lmcore.analysis.probabilities.token_probabilities`."""
    from lmcore.analysis.probabilities import token_probabilities

    return token_probabilities(loaded, text, output=output or None, alternatives=alternatives, report=stored.report)


def activations(loaded: LoadedModel, stored: Stored, *, text: str, component: str, stack: str) -> pd.DataFrame:
    """Return the length of each token's vector at each layer; see `lmcore.analysis.activations.Activations`."""
    from lmcore.analysis.activations import extract_activations

    found = extract_activations(loaded, [text], component=component, stack=stack, report=stored.report)
    return found.to_frame(0)


def alignment(
    loaded: LoadedModel,
    stored: Stored,
    *,
    source: str,
    target: str,
    layer: int,
    method: str,
    options: Mapping[str, Any],
) -> "WordAlignment":
    """Link the words of two texts; see `lmcore.analysis.alignment.align_words`."""
    from lmcore.analysis.alignment import align_words

    return align_words(loaded, source, target, layer=layer, method=method, report=stored.report, **options)
