"""What a shared result needs to be made again: the analysis, the version with its weights, and every argument."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.methods import Method, Registry
from lmcore.models.load import LoadedModel
from lmcore.types import Target

TOLERANCE = 1e-5

RECIPES = Registry(
    "shared analysis",
    Method(
        name="attribution",
        title="Attribution",
        summary="The tokens that speak for and against an output.",
        target="lmcore.analysis.recipes:attribution_frame",
    ),
    Method(
        name="served_attribution",
        title="Attribution of a server's answer",
        summary="The words that a prediction server's answer hangs on; the version itself is asked again.",
        target="lmcore.analysis.served.recipe:served_frame",
    ),
    Method(
        name="attention",
        title="Attention",
        summary="One head's attention, or the average of a layer's heads.",
        target="lmcore.analysis.recipes:attention_frame",
    ),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One analysis, as exactly as it can be said.

    Attributes:
        analysis: a name of the registry RECIPES.
        version: the model, in text form.
        weights: fingerprint of its weights, configuration and tokenizer.
        arguments: JSON-like values that the analysis takes, every option and seed among them.
    """

    analysis: str
    version: str
    weights: str
    arguments: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return {**asdict(self), "arguments": dict(self.arguments)}

    @classmethod
    def of(cls, values: Any) -> "Recipe":
        """Read JSON-like values.

        Raises:
            InputError: they are no recipe; UnknownError: there is no such analysis.
        """
        fields = ("analysis", "version", "weights", "arguments")
        if not isinstance(values, Mapping) or not isinstance(values.get("arguments"), Mapping):
            raise InputError("The file has no recipe of LMScope: give a report that was downloaded from it.")
        if not all(isinstance(values.get(name), str) for name in fields[:3]):
            raise InputError("The file's recipe is damaged: it has to name the analysis, the version and its weights.")
        return cls(RECIPES[values["analysis"]].name, values["version"], values["weights"], dict(values["arguments"]))


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How a result that was made again compares with the one that was shared.

    Attributes:
        same: whether the tables have the same cells and numbers that differ by 1e-5 at most.
        largest: the largest difference of two numbers, relative to the largest number of the column where that is above 1.
        said: the verdict in a sentence.
    """

    same: bool
    largest: float
    said: str


def follow(recipe: Recipe, loaded: LoadedModel) -> pd.DataFrame:
    """Make an analysis again.

    Args:
        recipe: which.
        loaded: its version.

    Raises:
        InputError: the model has other weights than the recipe says, or its arguments are not what the analysis takes.
    """
    if loaded.fingerprint != recipe.weights:
        raise InputError(
            f"{loaded.ref} has other weights now than when the result was shared ({loaded.fingerprint[:12]}, then "
            f"{recipe.weights[:12]}): the numbers cannot be made again with it."
        )
    try:
        found: pd.DataFrame = RECIPES[recipe.analysis].load()(loaded, **recipe.arguments)
    except TypeError as error:
        raise InputError(f"The recipe's arguments are not what {recipe.analysis} takes: {error}.") from error
    return found


def compare_frames(shared: pd.DataFrame, again: pd.DataFrame) -> Rebuilt:
    """Compare a shared table with one that was made again."""
    if list(shared.columns) != list(again.columns) or len(shared) != len(again):
        return Rebuilt(
            False, float("nan"), f"The tables differ: {shared.shape} was shared, {again.shape} came out now."
        )
    largest = 0.0
    for name in shared:
        then, now = shared[name], again[name]
        if not (pd.api.types.is_numeric_dtype(then) and pd.api.types.is_numeric_dtype(now)):
            if then.astype(str).tolist() != now.astype(str).tolist():
                return Rebuilt(False, float("nan"), f"The column {name} has other cells now.")
            continue
        values = np.abs(then.to_numpy(dtype=float) - now.to_numpy(dtype=float))
        scale = max(1.0, float(np.nanmax(np.abs(then.to_numpy(dtype=float)), initial=0.0)))
        largest = max(largest, float(np.nanmax(values, initial=0.0)) / scale)
    same = largest <= TOLERANCE
    said = f"The numbers are {'the same' if same else 'not the same'}: the largest difference is {largest:.2g}."
    return Rebuilt(same, largest, said)


def attribution_frame(
    loaded: LoadedModel,
    *,
    text: Any,
    target: Mapping[str, Any],
    method: str,
    options: Mapping[str, Any],
    output: str = "",
) -> pd.DataFrame:
    """Return the scores of a text's tokens; see `lmcore.analysis.attribution.attribute`."""
    from lmcore.analysis.attribution import attribute

    written = output or None
    return attribute(loaded, text, Target(**target), method=method, output=written, **options).to_frame()


def attention_frame(loaded: LoadedModel, *, text: str, layer: int, head: int | None) -> pd.DataFrame:
    """Return a head's map, or with no head the average of the layer's; both count from 0."""
    from lmcore.analysis.attention import attention_maps

    maps = attention_maps(loaded, text)
    if not 0 <= layer < len(maps.attentions) or (head is not None and not 0 <= head < maps.attentions.shape[1]):
        raise InputError(
            f"The model has no layer {layer} with a head {head}: it has {maps.attentions.shape[:2]} of them."
        )
    if head is not None:
        return maps.to_frame(layer, head)
    weights = maps.attentions[layer].mean(axis=0)
    rows, columns = np.indices(weights.shape)
    return pd.DataFrame({"row": rows.ravel(), "column": columns.ravel(), "weight": weights.ravel()})
