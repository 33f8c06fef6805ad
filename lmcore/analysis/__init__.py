"""Looking inside a model: activations, attention, attribution, likeness of layers, probes."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.activations import Activations, extract_activations
    from lmcore.analysis.alignment import WordAlignment, align_words
    from lmcore.analysis.attention import AttentionMaps, attention_maps, attention_rollout
    from lmcore.analysis.attribution import Attribution, attribute, attribute_texts
    from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals
    from lmcore.analysis.counterfactual.run import CounterfactualConfig, counterfactuals
    from lmcore.analysis.examples.influence import Checkpoint, Influences, influential_examples
    from lmcore.analysis.examples.nearest import Neighbours, nearest_examples
    from lmcore.analysis.influence import InfluenceConfig, WordInfluence, word_influence
    from lmcore.analysis.probing import ProbeResult, probe_layers
    from lmcore.analysis.similarity import LayerSimilarity, layer_similarity, linear_cka
    from lmcore.analysis.suites.cases import Suite
    from lmcore.analysis.suites.comparing import SuiteComparison, compare_runs
    from lmcore.analysis.suites.making import make_suite
    from lmcore.analysis.suites.running import SuiteRun, run_suite
    from lmcore.analysis.suites.suite_store import SuiteStore

_EXPORTS = {
    "Activations": "lmcore.analysis.activations",
    "AttentionMaps": "lmcore.analysis.attention",
    "Attribution": "lmcore.analysis.attribution",
    "Checkpoint": "lmcore.analysis.examples.influence",
    "Counterfactual": "lmcore.analysis.counterfactual.result",
    "CounterfactualConfig": "lmcore.analysis.counterfactual.run",
    "Counterfactuals": "lmcore.analysis.counterfactual.result",
    "InfluenceConfig": "lmcore.analysis.influence",
    "Influences": "lmcore.analysis.examples.influence",
    "LayerSimilarity": "lmcore.analysis.similarity",
    "Neighbours": "lmcore.analysis.examples.nearest",
    "ProbeResult": "lmcore.analysis.probing",
    "Suite": "lmcore.analysis.suites.cases",
    "SuiteComparison": "lmcore.analysis.suites.comparing",
    "SuiteRun": "lmcore.analysis.suites.running",
    "SuiteStore": "lmcore.analysis.suites.suite_store",
    "WordAlignment": "lmcore.analysis.alignment",
    "WordInfluence": "lmcore.analysis.influence",
    "align_words": "lmcore.analysis.alignment",
    "attention_maps": "lmcore.analysis.attention",
    "attention_rollout": "lmcore.analysis.attention",
    "attribute": "lmcore.analysis.attribution",
    "attribute_texts": "lmcore.analysis.attribution",
    "compare_runs": "lmcore.analysis.suites.comparing",
    "counterfactuals": "lmcore.analysis.counterfactual.run",
    "extract_activations": "lmcore.analysis.activations",
    "influential_examples": "lmcore.analysis.examples.influence",
    "layer_similarity": "lmcore.analysis.similarity",
    "linear_cka": "lmcore.analysis.similarity",
    "make_suite": "lmcore.analysis.suites.making",
    "nearest_examples": "lmcore.analysis.examples.nearest",
    "probe_layers": "lmcore.analysis.probing",
    "run_suite": "lmcore.analysis.suites.running",
    "word_influence": "lmcore.analysis.influence",
}

__all__ = [
    "Activations",
    "AttentionMaps",
    "Attribution",
    "Checkpoint",
    "Counterfactual",
    "CounterfactualConfig",
    "Counterfactuals",
    "InfluenceConfig",
    "Influences",
    "LayerSimilarity",
    "Neighbours",
    "ProbeResult",
    "Suite",
    "SuiteComparison",
    "SuiteRun",
    "SuiteStore",
    "WordAlignment",
    "WordInfluence",
    "align_words",
    "attention_maps",
    "attention_rollout",
    "attribute",
    "attribute_texts",
    "compare_runs",
    "counterfactuals",
    "extract_activations",
    "influential_examples",
    "layer_similarity",
    "linear_cka",
    "make_suite",
    "nearest_examples",
    "probe_layers",
    "run_suite",
    "word_influence",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
