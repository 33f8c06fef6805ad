"""What to make of a map, in one plain sentence."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmcore.analysis.trust.faithfulness import Faithfulness

MISSED = 0.05
FEW_UNITS = 4
AGREEING, STEADY, ALIKE = 0.3, 0.6, 0.5


def said_of(found: "Faithfulness") -> str:
    """Return what speaks against trusting a map, or that nothing does.

    A figure that is not a number says nothing, and one of random maps is the measure for those that have no natural scale.
    """
    curve = found.curve
    doubts = []
    if found.units < FEW_UNITS:
        doubts.append(f"there are only {found.units} units to rank")
    if found.completeness_error > MISSED:
        doubts.append(f"the scores miss their sum by {found.completeness_error:.0%}")
    if found.comprehensiveness <= curve.mean("random_comprehensiveness") + curve.mean("spread_comprehensiveness"):
        doubts.append("without the words that it puts first the prediction falls no more than without random ones")
    if found.sufficiency >= curve.mean("random_sufficiency"):
        doubts.append("those words alone keep it up no better than random ones")
    if found.mean_agreement < max(AGREEING, 0.0):
        doubts.append("other methods rank the words otherwise")
    if found.seed_stability < STEADY:
        doubts.append("another seed gives another map")
    if found.edit_stability < STEADY:
        doubts.append("a small edit that leaves the prediction gives another map")
    if abs(found.random_weights) > max(ALIKE, found.chance):
        doubts.append("a model with random weights gives much the same map")
    if not doubts:
        return (
            "Nothing that was measured speaks against this map; it shows what the output hangs on, not whether the model is "
            "right."
        )
    degree = "with care" if len(doubts) == 1 else "with much care"
    return f"Read this map {degree}: {'; '.join(doubts)}."
