"""Recipes of what explains an output: attribution of one part or of every token, and two of them beside each other."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from lmcore.analysis.recipes.stored import Stored
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Report, Target

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.attribution.contrast import Contrast
    from lmcore.analysis.attribution.outputs import OutputAttribution


def attribution(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], method: str,
    options: Mapping[str, Any], output: str,
) -> "Attribution":  # fmt: skip
    """Explain one part of an output; see `lmcore.analysis.attribution.attribute.attribute`."""
    return _explained(loaded, stored.report, text, target, method, options, output)


def every_token(
    loaded: LoadedModel, stored: Stored, *, text: Input, output: str, method: str, objective: str,
    options: Mapping[str, Any],
) -> "OutputAttribution":  # fmt: skip
    """Explain every token of an output; see `lmcore.analysis.attribution.outputs.attribute_output`."""
    from lmcore.analysis.attribution.outputs import attribute_output

    return attribute_output(
        loaded, text, output=output or None, method=method, objective=objective, report=stored.report, **options
    )


def comparison(
    loaded: LoadedModel, stored: Stored, *, first: Mapping[str, Any], second: Mapping[str, Any], unit: str
) -> "Contrast":
    """Set two attributions side by side; see `lmcore.analysis.attribution.contrast.contrast`.

    Args:
        loaded: the first side's model.
        stored: where the second side's model is found, where it is another.
        first: ``text``, ``target``, ``method``, ``options`` and ``output`` of one side.
        second: the same of the other, and ``model``: as a recipe names it, or None for the first's.
        unit: by which they are compared.
    """
    from lmcore.analysis.attribution.contrast import contrast

    one = _explained(loaded, stored.report, **first)
    asked = {name: value for name, value in second.items() if name != "model"}
    with stored.model(second["model"]) if second["model"] else nullcontext(loaded) as other:
        return contrast(one, _explained(other, stored.report, **asked), unit=unit)


def _explained(
    loaded: LoadedModel, report: Report, text: Input, target: Mapping[str, Any], method: str, options: Mapping[str, Any],
    output: str,
) -> "Attribution":  # fmt: skip
    from lmcore.analysis.attribution.attribute import attribute

    return attribute(loaded, text, Target(**target), method=method, output=output or None, report=report, **options)
