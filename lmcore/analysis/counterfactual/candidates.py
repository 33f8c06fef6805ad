"""The single edits of an input that are worth trying."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lmcore.analysis.counterfactual.edit import Edit, columns_of
from lmcore.analysis.counterfactual.hotflip import has_gradients
from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS
from lmcore.analysis.counterfactual.source import EditSource
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.types import Input, Prediction


def chosen_edits(
    wanted: Mapping[str, Mapping[str, Any]] | None, loaded: LoadedModel | None, text: Input
) -> dict[str, dict[str, Any]]:
    """Return the edits that are asked for with every option; all that the model allows where none are named.

    Raises:
        UnknownError: there is no such edit.
        OptionError: an option is out of range.
        InputError: an edit needs the model's gradients, which are not at hand.
    """
    inside = has_gradients(loaded, len(columns_of(text)))
    if wanted is None:
        wanted = {name: {} for name in (EDITS if inside else BLACK_BOX)}
    if not wanted:
        raise InputError(f"No edit is chosen: take one or more of {', '.join(EDITS)}.")
    found = {name: EDITS[name].check(options) for name, options in wanted.items()}
    if not inside and any(EDITS[name].facts.get("gradients") for name in found):
        raise InputError(
            "HotFlip needs the gradients of a model that gives one text a label: choose a registered version of such a task, "
            "or other edits."
        )
    return found


def single_edits(
    text: Input,
    kinds: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    columns: tuple[str, ...] = (),
    prediction: Prediction | None = None,
    loaded: LoadedModel | None = None,
    towards: str = "",
) -> list[Edit]:
    """Return every single edit of an input, each change once, in the order of the kinds and then of the text.

    Args:
        text: the input.
        kinds: the edits by their names in EDITS, with all options.
        seed: of what is drawn; each kind draws for itself, so that another kind beside it changes nothing.
        columns: which texts of the input are edited; all where empty.
        prediction: what the model says of the input.
        loaded: the model, where it is at hand.
        towards: the label that edits should lead to.

    Raises:
        InputError: there is no such column.
    """
    parts = columns_of(text)
    for name in columns:
        if name not in parts:
            raise InputError(f"The input has no text {name!r} to edit; it has: {', '.join(parts)}.")
    found: dict[tuple[str, int, int, str], Edit] = {}
    for column in columns or tuple(parts):
        source = EditSource(parts[column], prediction, loaded, towards)
        for kind, options in kinds.items():
            rng = np.random.default_rng([seed, zlib.crc32(f"{kind}:{column}".encode())])
            for change in EDITS[kind].load()(source, rng, **options):
                if source.allows(change):
                    before = source.text[change.start : change.end]
                    edit = Edit(column, change.start, change.end, before, change.after, kind)
                    found.setdefault((column, *change), edit)
    return list(found.values())
