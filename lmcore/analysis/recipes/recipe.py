"""What a shared result needs to be made again: the analysis, the version with its weights, and every argument."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.recipes.listed import RECIPES
from lmcore.analysis.recipes.stored import Stored
from lmcore.errors import InputError, LmError
from lmcore.models.load import LoadedModel
from lmcore.settings import Settings

TOLERANCE = 1e-5


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


def follow(recipe: Recipe, loaded: LoadedModel, stored: Stored | None = None) -> pd.DataFrame:
    """Make an analysis again.

    Args:
        recipe: which.
        loaded: its version.
        stored: where data sets, suites and further versions are found; the environment's workspace where None.

    Raises:
        InputError: the model, or what the recipe names besides, is another than the recipe says or not there; or its
            arguments are not what the analysis takes.
    """
    if loaded.fingerprint != recipe.weights:
        raise InputError(
            f"{loaded.ref} has other weights now than when the result was shared ({loaded.fingerprint[:12]}, then "
            f"{recipe.weights[:12]}): the numbers cannot be made again with it."
        )
    stored = stored or Stored.of(Settings.from_environment())
    try:
        return frame_of(RECIPES[recipe.analysis].load()(loaded, stored, **recipe.arguments))
    except LmError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"The recipe's arguments are not what {recipe.analysis} takes: {error}.") from error


def frame_of(found: Any) -> pd.DataFrame:
    """Return the table of a result: itself, or what its ``to_frame`` gives."""
    frame: pd.DataFrame = found if isinstance(found, pd.DataFrame) else found.to_frame()
    return frame.reset_index(drop=True)


def compare_frames(shared: pd.DataFrame, again: pd.DataFrame) -> Rebuilt:
    """Compare a shared table with one that was made again."""
    if list(shared.columns) != list(again.columns) or len(shared) != len(again):
        return Rebuilt(
            False, float("nan"), f"The tables differ: {shared.shape} was shared, {again.shape} came out now."
        )
    largest = 0.0
    for name in shared:
        then, now = _numbers(shared[name]), _numbers(again[name])
        if then is None or now is None:
            if _words(shared[name]) != _words(again[name]):
                return Rebuilt(False, float("nan"), f"The column {name} has other cells now.")
            continue
        if (np.isnan(then) != np.isnan(now)).any():
            return Rebuilt(False, float("nan"), f"The column {name} has numbers now where it had none, or none now.")
        scale = max(1.0, float(np.nanmax(np.abs(then), initial=0.0)))
        largest = max(largest, float(np.nanmax(np.abs(then - now), initial=0.0)) / scale)
    same = largest <= TOLERANCE
    said = f"The numbers are {'the same' if same else 'not the same'}: the largest difference is {largest:.2g}."
    return Rebuilt(same, largest, said)


def _numbers(column: "pd.Series[Any]") -> np.ndarray | None:
    """Return a column as float64, what a file writes as nothing (also the infinite) as no number; None where it has words."""
    if not pd.api.types.is_numeric_dtype(column) and not column.isna().all():
        return None
    values = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _words(column: "pd.Series[Any]") -> list[str]:
    return ["" if missing else str(cell) for cell, missing in zip(column, column.isna(), strict=True)]
