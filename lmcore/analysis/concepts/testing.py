"""Testing with concept activation vectors (TCAV, Kim et al. 2018): whether an output answers to a concept."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.concepts.directions import MOST_TEXTS, Directions, direction_accuracy, text_states
from lmcore.analysis.concepts.gradients import layer_gradients
from lmcore.analysis.concepts.sets import Concept
from lmcore.analysis.concepts.significance import bonferroni, false_discovery, two_sided
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.tasks.resampling import wilson
from lmcore.types import Input, Part, Report, Silent, Target

SETS = 500
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class ConceptTest:
    """How an output answers to concepts, layer by layer.

    Attributes:
        table: ``concept``; ``layer`` (0: embeddings); ``accuracy`` of the direction on held-out texts (.5 is chance);
            ``score``, the share of the explained texts whose target rises when they are moved towards the concept, with
            ``low`` and ``high`` (95 %, Wilson); ``random_low`` and ``random_high``, between which 95 % of the random sets'
            scores lie; ``effect``, by how much the target changes to first order when a text moves as far as the texts
            with the concept lie from those without, in the target's unit; ``random_effect``, the standard deviation of
            the random sets' effects; ``p``, two-sided; ``p_bonferroni``, ``p_fdr`` (Benjamini and Hochberg);
            ``significant``, whether ``p_bonferroni`` is at most ``level``.
        target: what is explained.
        texts: how many texts it is explained for.
        sets: random sets for each concept and layer.
        level: of significance.
        fingerprint: hash of weights, texts, target and parameters.
        parameters: what was asked for.
    """

    table: pd.DataFrame
    target: Target
    texts: int
    sets: int
    level: float
    fingerprint: str
    parameters: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table


def tcav(
    loaded: LoadedModel,
    concepts: Sequence[Concept],
    texts: Sequence[Input],
    target: Target,
    *,
    outputs: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    sets: int = SETS,
    level: float = LEVEL,
    seed: int = 0,
    most: int = MOST_TEXTS,
    report: Report | None = None,
) -> ConceptTest:
    """Test whether a target answers to concepts, against sets of the same size drawn at random.

    A random set is drawn from the texts with and without the concept together, so that for a concept that means nothing
    the p-value is exact. What is compared is the effect and not the score: where the model is linear above a layer every
    direction has the score 0 or 1, whatever it means.

    Args:
        loaded: a model with a head.
        concepts: what is tested.
        texts: texts whose target is differentiated, for example those of its class.
        target: the same for all texts.
        outputs: for a model that writes, what it is taken to have written for each.
        layers: which layers, 0 being the embeddings; None takes all.
        sets: random sets for each concept and layer; more are taken where a p-value could not otherwise reach half of the
            level after Bonferroni's correction.
        level: of significance.
        seed: of all draws.
        most: the most texts with a concept, and without, that are read.
        report: progress and cancellation.

    Raises:
        InputError: there are no concepts or texts, or a text or the target does not fit the model.
        OptionError: the level or a layer is out of range.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    chosen = list(range(loaded.layers + 1)) if layers is None else sorted(set(layers))
    _check(concepts, texts, chosen, loaded.layers, level)
    sets = max(sets, math.ceil(2 * len(concepts) * len(chosen) / level))
    asked = ask(loaded, texts, [target] * len(texts), outputs)
    slopes = layer_gradients(loaded, asked, Part(report, 0.0, 0.4))
    kept = [concept.sample(most, seed=seed) for concept in concepts]
    rows = _rows(loaded, kept, {layer: slopes[layer] for layer in chosen}, sets, seed, Part(report, 0.4, 1.0))
    table = _corrected(pd.DataFrame(rows), level)
    asked_for = {"sets": sets, "level": level, "seed": seed, "most": most, "layers": chosen}
    said = [[c.name, list(c.texts), list(c.others)] for c in kept]
    ids = [each.reading.tokens.ids.tolist() for each in asked]
    digits = fingerprint(loaded.fingerprint, said, ids, str(target), asked_for)
    return ConceptTest(table, target, len(texts), sets, level, digits, asked_for)


def _check(concepts: Sequence[Concept], texts: Sequence[Input], layers: Sequence[int], last: int, level: float) -> None:
    if not concepts or not texts:
        raise InputError("There is nothing to test: give at least one concept and one text.")
    if not layers or layers[0] < 0 or layers[-1] > last:
        raise OptionError(f"The layers are {list(layers)}: give some from 0 to {last}.")
    if not 0 < level < 1:
        raise OptionError(f"The level is {level}: give a number between 0 and 1.")


def _rows(
    loaded: LoadedModel,
    concepts: Sequence[Concept],
    slopes: Mapping[int, np.ndarray],
    sets: int,
    seed: int,
    report: Report,
) -> Iterator[dict[str, Any]]:
    """Test each concept in each layer; each text is read once, however many concepts have it."""
    pool = {text: n for n, text in enumerate(dict.fromkeys(t for c in concepts for t in (*c.texts, *c.others)))}
    states = text_states(loaded, list(pool), Part(report, 0.0, 0.5), layers=list(slopes))
    for number, concept in enumerate(concepts):
        places = [pool[text] for text in (*concept.texts, *concept.others)]
        for layer, vectors in zip(slopes, states, strict=True):
            report.check()
            yield _row(concept, layer, vectors[places], slopes[layer], sets=sets, seed=seed)
        report.progress(0.5 + 0.5 * (number + 1) / len(concepts), f"The concept {concept.name} tested")


def _corrected(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add the p-values that take the number of tests into account, and the verdict."""
    p = table["p"].to_numpy()
    table = table.assign(p_bonferroni=bonferroni(p), p_fdr=false_discovery(p))
    return table.assign(significant=table["p_bonferroni"] <= level)


def _row(
    concept: Concept, layer: int, states: np.ndarray, slopes: np.ndarray, *, sets: int, seed: int
) -> dict[str, Any]:
    examples, size = len(states), len(concept.texts)
    has = np.arange(examples) < size
    drawn = _random_parts(examples, size, sets, seed=seed)
    unit, gaps = Directions(states).of(np.vstack([has, drawn]))
    rises = slopes.astype(np.float64) @ unit.T
    scores = (rises > 0).mean(axis=0)
    effects = rises.mean(axis=0) * gaps
    low, high = wilson(float(scores[0]) * len(slopes), len(slopes))
    random_low, random_high = np.quantile(scores[1:], [0.025, 0.975])
    return {
        "concept": concept.name,
        "layer": layer,
        "accuracy": direction_accuracy(states, has, seed=seed),
        "score": float(scores[0]),
        "low": low,
        "high": high,
        "random_low": float(random_low),
        "random_high": float(random_high),
        "effect": float(effects[0]),
        "random_effect": float(effects[1:].std()),
        "p": two_sided(float(effects[0]), effects[1:]),
    }


def _random_parts(examples: int, size: int, sets: int, *, seed: int) -> np.ndarray:
    """Return sets of examples drawn without replacement, bool of shape (sets, examples)."""
    rng = np.random.default_rng(seed)
    ranks = rng.random((sets, examples)).argsort(axis=1).argsort(axis=1)
    found: np.ndarray = ranks < size
    return found
