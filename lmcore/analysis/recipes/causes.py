"""Recipes of causal tests: patching, ablation, steering."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmcore.analysis.recipes.stored import Named, Stored
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Target

if TYPE_CHECKING:
    from lmcore.analysis.causal.ablation import Ablation
    from lmcore.analysis.causal.patching import Direction as Way
    from lmcore.analysis.causal.patching import Patching
    from lmcore.analysis.causal.steering import Reads, Steering


def patching(
    loaded: LoadedModel, stored: Stored, *, text: Input, corrupted: Input, target: Mapping[str, Any], output: str,
    component: str, direction: "Way", whole: bool,
) -> "Patching":  # fmt: skip
    """Patch one text's parts into the run of another; see `lmcore.analysis.causal.patching.patch_activations`."""
    from lmcore.analysis.causal.patching import patch_activations

    return patch_activations(
        loaded, text, corrupted, Target(**target), component=component, direction=direction, output=output or None,
        whole=whole, report=stored.report,
    )  # fmt: skip


def ablation(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], output: str, part: str, method: str,
    data: Named | None, rows: int, draws: int, seed: int,
) -> "Ablation":  # fmt: skip
    """Take parts out; what stands in for them comes from the text itself, or from the first rows of a data set."""
    from lmcore.analysis.causal.ablation import ablate
    from lmcore.analysis.lens.kept import lens_texts

    reference = lens_texts(loaded, stored.dataset(data))[:rows] if data else None
    return ablate(
        loaded, text, Target(**target), part=part, method=method, reference=reference, output=output or None, draws=draws,
        seed=seed, report=stored.report,
    )  # fmt: skip


def steering(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], output: str,
    towards: Sequence[Input], away: Sequence[Input], layer: int, strength: float, strengths: Sequence[float],
    reads: "Reads",
) -> "Steering":  # fmt: skip
    """Steer from one set of texts towards another; see `lmcore.analysis.causal.steering.steer`."""
    from lmcore.analysis.causal.steering import find_direction, steer

    direction = find_direction(loaded, towards, away, layer=layer, reads=reads)
    return steer(
        loaded, text, direction, strength=strength, target=Target(**target), output=output or None, strengths=strengths,
        report=stored.report,
    )  # fmt: skip
