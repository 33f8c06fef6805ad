"""Recipes: an analysis with everything that it takes, so that a shared result can be made again to the same numbers.

A view's recipe is a function of a module here, ``(loaded, stored, *, every argument by name) -> result``, a line of RECIPES,
and in the view a call of `lmcore.ui.share.report_button`. The arguments are JSON-like values without defaults; what is read
besides the model is named with its fingerprint.
"""

from lmcore.analysis.recipes.listed import RECIPES
from lmcore.analysis.recipes.recipe import TOLERANCE, Rebuilt, Recipe, compare_frames, follow, frame_of
from lmcore.analysis.recipes.stored import Stored, named_data, named_model, named_suite

__all__ = [
    "RECIPES",
    "TOLERANCE",
    "Rebuilt",
    "Recipe",
    "Stored",
    "compare_frames",
    "follow",
    "frame_of",
    "named_data",
    "named_model",
    "named_suite",
]
