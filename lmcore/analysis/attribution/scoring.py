"""Running an attribution method over texts: what the gradient methods and the black-box ones need, and what they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.attribution.cost import calls_of, game_options
from lmcore.analysis.attribution.erased import Erasing, blank_token
from lmcore.analysis.attribution.games import Played, play
from lmcore.analysis.attribution.methods import ATTRIBUTION, is_black_box
from lmcore.analysis.attribution.paths import BATCH_TOKENS, SMALL, Path, PathScores
from lmcore.analysis.attribution.quantities import Quantity, embedding_values
from lmcore.analysis.attribution.units import Units, cut_units, hierarchy, open_places
from lmcore.analysis.room import fitting_batch
from lmcore.analysis.runs import check_embeddings, read_count, token_embeddings
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.types import Report, Silent


@dataclass(frozen=True, eq=False)
class Found:
    """What a method found about one text.

    Attributes:
        scores: float64 of shape (outputs, tokens).
        value: with the whole text, shape (outputs,).
        baseline_value: with nothing of it, shape (outputs,); not a number where the method looks at no baseline.
        completeness_error: see `lmcore.analysis.attribution.paths.PathScores`.
        steps: points at which the model was differentiated, or different texts that it was asked about.
    """

    scores: np.ndarray
    value: np.ndarray
    baseline_value: np.ndarray
    completeness_error: np.ndarray
    steps: int


def score_texts(
    loaded: LoadedModel,
    asked: Sequence[Asked],
    quantity: Quantity,
    method: str,
    parameters: Mapping[str, Any],
    report: Report | None = None,
) -> list[Found]:
    """Score the tokens of texts.

    Args:
        loaded: the model.
        asked: the texts.
        quantity: what is explained.
        method: a name of the registry ATTRIBUTION.
        parameters: all its options.
        report: progress and cancellation.

    Raises:
        InputError: the model cannot be run so, a gradient is no number, or nothing of a text can be taken away.
        OptionError: the tokenizer has no such baseline token.
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    if not asked:
        return []
    report = report or Silent()
    if is_black_box(method):
        return _play(loaded, asked, quantity, method, parameters, report)
    return _differentiate(loaded, asked, quantity, method, parameters, report)


def text_units(loaded: LoadedModel, reading: Reading, kind: str) -> Units:
    """Cut what is read into units that can be taken away.

    Raises:
        InputError: there is none.
    """
    units = cut_units(reading, kind, open_places(reading, loaded.tokenizer))
    if not len(units):
        raise InputError("The text has nothing but the gap that is to be filled: give one with words around it.")
    return units


def _play(
    loaded: LoadedModel,
    asked: Sequence[Asked],
    quantity: Quantity,
    method: str,
    parameters: Mapping[str, Any],
    report: Report,
) -> list[Found]:
    units = [text_units(loaded, each.reading, parameters["unit"]) for each in asked]
    trees = [hierarchy(each.reading, own) for each, own in zip(asked, units, strict=True)]
    settings = game_options(parameters)
    game = ATTRIBUTION[method].load()

    erasing = Erasing(loaded, asked, units, parameters["baseline"], quantity)
    calls = sum(calls_of(method, tree, parameters) for tree in trees)
    played = play(
        [game(tree, **settings) for tree in trees], [len(u) for u in units], erasing, calls=calls, report=report
    )
    return [_spread(own, result) for own, result in zip(units, played, strict=True)]


def _spread(units: Units, played: Played) -> Found:
    scores = np.stack([units.spread(column) for column in played.scores.T])
    difference = played.value - played.nothing
    missed = np.abs(played.scores.sum(axis=0) - difference) / np.maximum(np.abs(difference), SMALL)
    error = missed if played.adds_up else np.full_like(missed, np.nan)
    return Found(scores, played.value, played.nothing, error, played.calls)


def _differentiate(
    loaded: LoadedModel,
    asked: Sequence[Asked],
    quantity: Quantity,
    method: str,
    parameters: Mapping[str, Any],
    report: Report,
) -> list[Found]:
    readings = [each.reading for each in asked]
    longest, read = max(map(len, readings)), read_count(loaded, readings)
    texts = fitting_batch(loaded, longest, max(1, BATCH_TOKENS // longest), gradients=True, read=read)
    check_embeddings(loaded, readings)
    paths = [replace(_path(loaded, reading, parameters), at_once=texts * longest) for reading in readings]
    settings = {name: value for name, value in parameters.items() if name != "baseline"}
    expected = max(1, len(asked) * int(settings.get("steps") or settings.get("samples") or 1))
    rows = 0

    def seen(count: int) -> None:
        nonlocal rows
        report.check()
        report.progress(min(rows / (rows + count + expected), 1.0), f"{rows} model calls done")
        rows += count

    found: list[PathScores] = ATTRIBUTION[method].load()(
        embedding_values(loaded, readings, quantity, seen), paths, **settings
    )
    return [Found(each.scores, each.value, each.baseline_value, each.completeness_error, each.steps) for each in found]


def _path(loaded: LoadedModel, reading: Reading, parameters: Mapping[str, Any]) -> Path:
    """Return the way from the baseline to a reading; tokens that stand for no text of it stay as they are."""
    import torch

    fixed = torch.from_numpy(~open_places(reading, loaded.tokenizer)).to(loaded.device)[:, None]
    baseline = parameters.get("baseline", "zero")
    with torch.no_grad():
        x = token_embeddings(loaded, reading)
        if baseline == "random":
            drawn = _random_tokens(loaded, len(reading), parameters["samples"], parameters["seed"])
            base = torch.stack([token_embeddings(loaded, reading, ids.to(loaded.device)) for ids in drawn])
        elif baseline == "zero":
            base = torch.zeros_like(x)
        else:
            ids = torch.full((len(reading),), blank_token(loaded.tokenizer, baseline), device=loaded.device)
            base = token_embeddings(loaded, reading, ids)
        return Path(x, torch.where(fixed, x, base))


def _random_tokens(loaded: LoadedModel, tokens: int, samples: int, seed: int) -> Any:
    """Draw texts of random tokens of the vocabulary, special ones left out; a tensor of shape (samples, tokens)."""
    import torch

    usual = np.setdiff1d(np.arange(len(loaded.tokenizer)), loaded.tokenizer.all_special_ids)
    return torch.from_numpy(np.random.default_rng(seed + 1).choice(usual, size=(samples, tokens)))
