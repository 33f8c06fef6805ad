"""What an attribution costs, said before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmcore.analysis.asked import ask
from lmcore.analysis.attribution.games import Tree
from lmcore.analysis.attribution.methods import ATTRIBUTION, is_black_box
from lmcore.methods import load_target
from lmcore.models.load import LoadedModel
from lmcore.models.reading import read_row
from lmcore.types import Input, Target, count_of

_TEXT = frozenset({"unit", "baseline"})
# A call over a token takes about two floating-point operations for each weight, and a gradient as much again. Where points
# are added until the sum is right, a tenth of the most is typical.
SLOW = 2e11
_SLOW_AT_MOST = 1e12


@dataclass(frozen=True, slots=True)
class AttributionCost:
    """What a method will ask of the model for one text.

    Attributes:
        calls: times that the text, or a variant of it, is run.
        gradients: how many of these are also run backwards.
        most: whether it may be fewer.
        tokens: of the text.
        units: what is taken away one by one; 0 for a method that takes nothing away.
        operations: floating-point operations of all of it, about.
    """

    calls: int
    gradients: int
    most: bool
    tokens: int
    units: int
    operations: float

    @property
    def slow(self) -> bool:
        """Whether a page should ask before it begins."""
        return self.operations > (_SLOW_AT_MOST if self.most else SLOW)

    def sentence(self) -> str:
        """Say it in a sentence."""
        upto = "up to " if self.most else ""
        back = f", {self.gradients} of them with a gradient" if self.gradients else ""
        return (
            f"This takes {upto}{count_of(self.calls, 'model call')}{back}, over {count_of(self.tokens, 'token')} each."
        )


def attribution_cost(
    loaded: LoadedModel,
    text: Input,
    target: Target | str | None = None,
    *,
    method: str = "integrated_gradients",
    output: str | None = None,
    **options: object,
) -> AttributionCost:
    """Say what `attribute` with the same arguments will cost; runs the model only where the target is left open.

    Raises:
        InputError: see `attribute`.
        OptionError: an option is out of range.
    """
    from lmcore.analysis.attribution.scoring import text_units
    from lmcore.analysis.attribution.units import hierarchy

    parameters = ATTRIBUTION[method].check(options)
    reading = ask(loaded, [text], [target], None if output is None else [output], links=True)[0].reading
    looked_up = loaded.model.get_input_embeddings().weight.numel()
    weights = sum(parameter.numel() for parameter in loaded.model.parameters()) - looked_up
    if is_black_box(method):
        units = text_units(loaded, reading, parameters["unit"])
        calls, gradients = 2 + calls_of(method, hierarchy(reading, units), parameters), 0
        most, count = method == "lime", len(units)
    else:
        gradients, ends = _points(method, parameters)
        calls, count, most = gradients + ends, 0, "steps" in parameters and parameters["steps"] is None
    operations = 2.0 * weights * len(reading) * (calls + gradients)
    return AttributionCost(calls, gradients, most, len(reading), count, operations)


def lens_cost(loaded: LoadedModel, text: Input, target: Target, *, output: str | None = None) -> AttributionCost:
    """Say what `logit_lens` with the same arguments will cost: the head is read at every token after every layer.

    Raises:
        InputError: see `logit_lens`.
    """
    reading = read_row(loaded.widest, text, target, output=output or "")
    head, layers = loaded.model.get_output_embeddings(), loaded.layers + 1
    weights = sum(parameter.numel() for parameter in loaded.model.parameters())
    # For another head than that of a language the whole model is run for each layer.
    operations = weights * (1 + layers) if head is None else weights + layers * head.weight.numel()
    return AttributionCost(
        1 if head is not None else layers + 1, 0, False, len(reading), 0, 2.0 * operations * len(reading)
    )


def calls_of(method: str, tree: Tree, parameters: Mapping[str, Any]) -> int:
    """Return how many texts a black-box method asks about, besides the whole one and the empty one."""
    count: int = load_target(str(ATTRIBUTION[method].facts["calls"]))(tree, **game_options(parameters))
    return count


def game_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are the method's own, and not about how the text is cut and blanked."""
    return {name: value for name, value in parameters.items() if name not in _TEXT}


def _points(method: str, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many points are differentiated, and how many are only run."""
    if method == "gradient_norm":
        return 1, 0
    if method == "input_x_gradient":
        return 1, 2
    if method == "gradient_shap":
        return int(parameters["samples"]), 1 + (int(parameters["samples"]) if parameters["baseline"] == "random" else 1)
    if parameters["steps"] is not None:
        return int(parameters["steps"]), 2
    return int(parameters["max_steps"]), 0
