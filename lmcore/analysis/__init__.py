"""Looking inside a model: activations, attention, attribution, likeness of layers, probes."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.activations import Activations, extract_activations
    from lmcore.analysis.alignment import WordAlignment, align_words
    from lmcore.analysis.attention import AttentionMaps, attention_maps, attention_rollout
    from lmcore.analysis.attribution import Attribution, attribute, attribute_texts
    from lmcore.analysis.cost import AttributionCost, attribution_cost
    from lmcore.analysis.faithfulness import Faithfulness, TrustSettings, measure_faithfulness
    from lmcore.analysis.influence import InfluenceConfig, WordInfluence, word_influence
    from lmcore.analysis.output_attribution import OutputAttribution, attribute_output, attribute_outputs
    from lmcore.analysis.probing import ProbeResult, probe_layers
    from lmcore.analysis.similarity import LayerSimilarity, layer_similarity, linear_cka

_EXPORTS = {
    "Activations": "lmcore.analysis.activations",
    "AttentionMaps": "lmcore.analysis.attention",
    "Attribution": "lmcore.analysis.attribution",
    "AttributionCost": "lmcore.analysis.cost",
    "Faithfulness": "lmcore.analysis.faithfulness",
    "InfluenceConfig": "lmcore.analysis.influence",
    "LayerSimilarity": "lmcore.analysis.similarity",
    "OutputAttribution": "lmcore.analysis.output_attribution",
    "ProbeResult": "lmcore.analysis.probing",
    "TrustSettings": "lmcore.analysis.faithfulness",
    "WordAlignment": "lmcore.analysis.alignment",
    "WordInfluence": "lmcore.analysis.influence",
    "align_words": "lmcore.analysis.alignment",
    "attention_maps": "lmcore.analysis.attention",
    "attention_rollout": "lmcore.analysis.attention",
    "attribute": "lmcore.analysis.attribution",
    "attribute_output": "lmcore.analysis.output_attribution",
    "attribute_outputs": "lmcore.analysis.output_attribution",
    "attribute_texts": "lmcore.analysis.attribution",
    "attribution_cost": "lmcore.analysis.cost",
    "extract_activations": "lmcore.analysis.activations",
    "layer_similarity": "lmcore.analysis.similarity",
    "linear_cka": "lmcore.analysis.similarity",
    "measure_faithfulness": "lmcore.analysis.faithfulness",
    "probe_layers": "lmcore.analysis.probing",
    "word_influence": "lmcore.analysis.influence",
}

__all__ = [
    "Activations",
    "AttentionMaps",
    "Attribution",
    "AttributionCost",
    "Faithfulness",
    "InfluenceConfig",
    "LayerSimilarity",
    "OutputAttribution",
    "ProbeResult",
    "TrustSettings",
    "WordAlignment",
    "WordInfluence",
    "align_words",
    "attention_maps",
    "attention_rollout",
    "attribute",
    "attribute_output",
    "attribute_outputs",
    "attribute_texts",
    "attribution_cost",
    "extract_activations",
    "layer_similarity",
    "linear_cka",
    "measure_faithfulness",
    "probe_layers",
    "word_influence",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
