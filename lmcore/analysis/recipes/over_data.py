"""Recipes of what is found over a stored data set: words, neurons, probes, heads, concepts, factors, likeness, links."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pandas as pd

from lmcore.analysis.recipes.stored import Named, Stored
from lmcore.data.dataset import TextDataset
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import SPLITS, Target

if TYPE_CHECKING:
    from lmcore.analysis.attention.head_maps import HeadMap, What
    from lmcore.analysis.attention.unit_vectors import Unit
    from lmcore.analysis.concepts.factors import Factors
    from lmcore.analysis.concepts.sets import Concept
    from lmcore.analysis.concepts.testing import ConceptTest
    from lmcore.analysis.link_errors import AlignmentErrors
    from lmcore.analysis.neurons.report import NeuronReport
    from lmcore.analysis.over_data.word_influence import WordInfluence
    from lmcore.analysis.probes.probing import ProbeResult
    from lmcore.analysis.similarity import LayerSimilarity


def words(
    loaded: LoadedModel, stored: Stored, *, data: Named, split: str, settings: Mapping[str, Any]
) -> "WordInfluence":
    """Sum what words say over the rows of a data set; see `lmcore.analysis.over_data.word_influence.word_influence`.

    Args:
        loaded: the model.
        stored: where the data set is found.
        data: which.
        split: which part of it; empty for all.
        settings: the fields of `InfluenceConfig` that say how.
    """
    from lmcore.analysis.over_data.word_influence import InfluenceConfig, word_influence

    read = part(stored.dataset(data), split)
    config = InfluenceConfig(str(loaded.ref), str(read.ref), **settings)
    return word_influence(loaded, read, config, report=stored.report)


def neurons(
    loaded: LoadedModel, stored: Stored, *, data: Named, split: str, rows: int, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return what is known of layers, and of the neurons that tell labels apart; see `find_neurons`."""
    return neuron_frame(neuron_report(loaded, stored, data=data, split=split, rows=rows, settings=settings))


def neuron_report(
    loaded: LoadedModel, stored: Stored, *, data: Named, split: str, rows: int, settings: Mapping[str, Any]
) -> "NeuronReport":
    """Look at the neurons over the first rows of a data set; ``settings`` are those of `NeuronConfig`."""
    from lmcore.analysis.neurons.find import find_neurons
    from lmcore.analysis.neurons.report import NeuronConfig

    texts, labels, _ = labelled_texts(part(stored.dataset(data), split), rows)
    return find_neurons(loaded, texts, labels, config=NeuronConfig(**settings), report=stored.report)


def neuron_frame(found: "NeuronReport") -> pd.DataFrame:
    """Return the layers and below them the selective neurons; ``table`` says which a row is of."""
    return pd.concat(
        [found.layers.assign(table="layers"), found.selective.assign(table="selective")], ignore_index=True
    )


def labelled_texts(data: TextDataset, rows: int) -> tuple[list[str], list[str] | None, list[int]]:
    """Return the texts of the first rows, their labels where each has one, and their ids."""
    frame, task = data.frame.head(rows), load_task(data.task)
    strata = task.strata(frame)
    labels = None if strata is None else strata.astype(str).tolist()
    return task.texts(frame).tolist(), labels, frame["id"].astype(int).tolist()


def probes(
    loaded: LoadedModel, stored: Stored, *, data: Named, rows: int, property: str, property_options: Mapping[str, Any],
    probe: str, probe_options: Mapping[str, Any], control: bool, code: bool, most_words: int, seed: int,
) -> "ProbeResult":  # fmt: skip
    """Probe the layers; of each split at most ``rows`` are drawn. See `lmcore.analysis.probes.probing.probe_layers`."""
    from lmcore.analysis.probes.probing import probe_layers

    whole = stored.dataset(data)
    frames = [_drawn(whole.part(split).frame, rows, seed) for split in SPLITS]
    return probe_layers(
        loaded, *frames, task=whole.task, seed=seed, property=property, property_options=property_options, probe=probe,
        probe_options=probe_options, control=control, code=code, most_words=most_words, report=stored.report,
    )  # fmt: skip


def head_map(
    loaded: LoadedModel, stored: Stored, *, what: "What", unit: "Unit", data: Named | None, texts: int, method: str,
    options: Mapping[str, Any],
) -> "HeadMap":  # fmt: skip
    """Lay out the heads by their parameters, or by their attention over the first test rows of a data set."""
    from lmcore.analysis.attention.head_maps import map_heads

    read = first_texts(stored.dataset(data).part("test"), texts) if data else []
    return map_heads(loaded, what=what, unit=unit, texts=read, method=method, options=options, report=stored.report)


def concepts(
    loaded: LoadedModel, stored: Stored, *, data: Named, target: Mapping[str, Any], words: Sequence[str], column: str,
    values: Sequence[str], texts: int, sets: int, level: float, most: int, seed: int,
) -> "ConceptTest":  # fmt: skip
    """Test concepts of the values of a column, or of lists of words; see `lmcore.analysis.concepts.testing.tcav`."""
    from lmcore.analysis.concepts.sets import explained_rows
    from lmcore.analysis.concepts.testing import tcav

    whole = stored.dataset(data)
    asked = Target(**target)
    explained = explained_rows(whole.frame, load_task(whole.task), asked.label, texts)
    made = _concepts(whole, words, column, values)
    return tcav(loaded, made, explained, asked, sets=sets, level=level, seed=seed, most=most, report=stored.report)


def factors(
    loaded: LoadedModel, stored: Stored, *, data: Named, texts: int, layer: int, factors: int, level: Any, most: int,
    top: int, seed: int,
) -> "Factors":  # fmt: skip
    """Factor a layer's vectors over rows that are drawn; see `lmcore.analysis.concepts.factors.find_factors`."""
    from lmcore.analysis.concepts.factors import find_factors

    whole = stored.dataset(data)
    read = first_texts(whole, texts, _drawn(whole.frame, texts, seed))
    return find_factors(
        loaded, read, layer=layer, factors=factors, level=level, seed=seed, most=most, top=top, report=stored.report
    )


def similarity(
    loaded: LoadedModel, stored: Stored, *, other: Named | None, data: Named, split: str, rows: int, method: str,
    options: Mapping[str, Any], pooling: str, batch: int | None, seed: int,
) -> "LayerSimilarity":  # fmt: skip
    """Compare layers over the first rows; see `lmcore.analysis.similarity.layers.layer_similarity`."""
    from lmcore.analysis.similarity import layer_similarity

    texts = first_texts(part(stored.dataset(data), split), rows)
    with stored.model(other) if other else nullcontext() as second:
        return layer_similarity(
            loaded, texts, other=second, method=method, options=options, pooling=pooling, batch=batch, seed=seed,
            report=stored.report,
        )  # fmt: skip


def alignment_errors(
    loaded: LoadedModel, stored: Stored, *, data: Named, split: str, method: str, options: Mapping[str, Any], seed: int
) -> "AlignmentErrors":
    """Measure the links of every layer against gold ones; see `lmcore.analysis.link_errors.alignment_errors`."""
    from lmcore.analysis.link_errors import alignment_errors

    pairs = part(stored.dataset(data), split)
    return alignment_errors(loaded, pairs, method=method, seed=seed, report=stored.report, **options)


def part(data: TextDataset, split: str) -> TextDataset:
    """Return one split of a data set, or all of it where none is named."""
    return data.part(split) if split else data


def first_texts(data: TextDataset, rows: int, frame: pd.DataFrame | None = None) -> list[str]:
    """Return the texts of the first rows of a data set, or of some of its rows, as one text each."""
    chosen = data.frame if frame is None else frame
    return [str(text) for text in load_task(data.task).texts(chosen).head(rows)]


def _drawn(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """Return at most so many rows, drawn at random where there are more, in their order."""
    return frame if len(frame) <= rows else frame.sample(rows, random_state=seed).sort_index()


def _concepts(data: TextDataset, words: Sequence[str], column: str, values: Sequence[str]) -> "list[Concept]":
    from lmcore.analysis.concepts.sets import concept_from_slice, concept_from_words, named_words

    task = load_task(data.task)
    if column:
        return [concept_from_slice(value, data.frame, task, column=column, values=[value]) for value in values]
    texts = [str(text) for text in task.texts(data.frame)]
    return [concept_from_words(name, listed, texts) for name, listed in map(named_words, words)]
