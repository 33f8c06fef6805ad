"""What to make of a map, in one plain sentence."""

import math
from typing import TYPE_CHECKING

from lmcore.types import count_of

if TYPE_CHECKING:
    from lmcore.analysis.trust.faithfulness import Faithfulness

SHOWS = "it shows what the output hangs on, not whether the model is right"
MISSED = 0.05
FEW_UNITS = 4
AGREEING, STEADY, ALIKE = 0.3, 0.6, 0.5


def said_of(found: "Faithfulness", shows: str = SHOWS) -> str:
    """Return what speaks against trusting a map, or that nothing does.

    A figure that is not a number says nothing, and one of random maps is the measure for those that have no natural scale.

    Args:
        found: what was measured.
        shows: what the map shows where nothing speaks against it.
    """
    doubts = [doubt for holds, doubt in _doubts(found) if holds]
    if not doubts:
        return f"Nothing that was measured speaks against this map; {shows}."
    degree = "with care" if len(doubts) == 1 else "with much care"
    return f"Read this map {degree}: {'; '.join(doubts)}."


def _doubts(found: "Faithfulness") -> list[tuple[bool, str]]:
    """Return each thing that could speak against a map, and whether it does."""
    curve, edits, random = found.curve, found.edit_stability, found.random_weights
    taken = curve.mean("random_comprehensiveness") + curve.mean("spread_comprehensiveness")
    return [
        (found.units < FEW_UNITS, f"only {count_of(found.units, 'unit')} can be ranked"),
        (found.completeness_error > MISSED, f"the scores miss their sum by {found.completeness_error:.0%}"),
        (
            found.comprehensiveness <= taken,
            "without the words that it puts first the prediction falls no more than without random ones",
        ),
        (
            found.sufficiency >= curve.mean("random_sufficiency"),
            "those words alone keep it up no better than random ones",
        ),
        (found.mean_agreement < AGREEING, "other methods rank the words otherwise"),
        (found.seed_stability < STEADY, "another seed gives another map"),
        (
            found.settings.edits > 0 and math.isnan(edits),
            "no small edit was found that leaves the prediction and can be compared",
        ),
        (edits < STEADY, "a small edit that leaves the prediction gives another map"),
        (len(found.randomised) > 0 and math.isnan(random), "what random weights do to it could not be measured"),
        (abs(random) > max(ALIKE, found.chance), "a model with random weights gives much the same map"),
    ]
