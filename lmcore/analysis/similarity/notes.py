"""What to mind in reading how alike layers are, in plain sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmcore.analysis.similarity.methods import SIMILARITY
from lmcore.analysis.similarity.request import SimilarityRequest

NOTABLE_CHANCE = 0.1


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen on the way.

    Attributes:
        cut: how many texts were longer than a model's limit.
        tokens: how many tokens the texts have.
        constant: of each side, the layers that treat all texts alike.
        kept: the most directions that a layer keeps; 0 where the measure is no mean of correlations.
        features: width of the first model.
    """

    cut: int
    tokens: int
    constant: Sequence[Sequence[int]]
    kept: int
    features: int


def notes_on(reading: Reading, request: SimilarityRequest, *, rows: int, texts: int, chance: float) -> tuple[str, ...]:
    """Return sentences on what makes the values less telling, the most important first."""
    found = []
    if chance >= NOTABLE_CHANCE:
        better = "more texts" if request.low < 0 else f"more texts, or {SIMILARITY['debiased_cka'].title},"
        found.append(
            f"With {rows:,} rows and {reading.features:,} features unrelated layers reach {chance:.2f} too, by a shuffle: "
            f"only what is well above that tells something; {better} would lower it."
        )
    if 2 * reading.kept > rows - 1:
        found.append(
            f"Up to {reading.kept:,} directions are kept of {rows:,} rows, so that some correlations are 1 whatever the texts "
            f"are: give at least {2 * reading.kept + 1:,} rows, or keep a smaller share of the variance."
        )
    for side, layers in zip(("", " of the second model"), reading.constant, strict=False):
        if layers:
            named = ", ".join(map(str, layers))
            found.append(f"Layer {named}{side} treats all texts alike: its similarity is set to 0.")
    if request.pooling == "tokens" and rows < reading.tokens:
        found.append(f"{rows:,} of the {reading.tokens:,} tokens were drawn at random.")
    if reading.cut:
        found.append(
            f"{reading.cut:,} of {texts:,} texts are longer than a model's limit: only their beginning was read."
        )
    return tuple(found)
