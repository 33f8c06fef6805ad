"""Looking inside a model: activations, attention, attribution, lenses, causal tests, likeness of layers, probes."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.ablation import Ablation, ablate
    from lmcore.analysis.activations import Activations, extract_activations
    from lmcore.analysis.alignment import WordAlignment, align_words
    from lmcore.analysis.attention import AttentionMaps, attention_maps, attention_rollout
    from lmcore.analysis.attribution import Attribution, attribute, attribute_texts
    from lmcore.analysis.direct_logits import LogitAttribution, attribute_logits
    from lmcore.analysis.influence import InfluenceConfig, WordInfluence, word_influence
    from lmcore.analysis.kept_lens import KeptLens, keep_lens, kept_lenses, load_lens
    from lmcore.analysis.lens import LogitLens, logit_lens
    from lmcore.analysis.neuron_report import NeuronConfig, NeuronReport
    from lmcore.analysis.neurons import find_neurons, neuron_tokens
    from lmcore.analysis.patching import Patching, patch_activations, patch_runs
    from lmcore.analysis.probabilities import TokenProbabilities, token_probabilities
    from lmcore.analysis.probing import ProbeResult, probe_layers
    from lmcore.analysis.similarity import LayerSimilarity, layer_similarity, linear_cka
    from lmcore.analysis.steering import Direction, Steering, find_direction, steer
    from lmcore.analysis.tuned_lens import TunedLens, train_lens

_EXPORTS = {
    "Ablation": "lmcore.analysis.ablation",
    "Activations": "lmcore.analysis.activations",
    "AttentionMaps": "lmcore.analysis.attention",
    "Attribution": "lmcore.analysis.attribution",
    "Direction": "lmcore.analysis.steering",
    "InfluenceConfig": "lmcore.analysis.influence",
    "KeptLens": "lmcore.analysis.kept_lens",
    "LayerSimilarity": "lmcore.analysis.similarity",
    "LogitAttribution": "lmcore.analysis.direct_logits",
    "LogitLens": "lmcore.analysis.lens",
    "NeuronConfig": "lmcore.analysis.neuron_report",
    "NeuronReport": "lmcore.analysis.neuron_report",
    "Patching": "lmcore.analysis.patching",
    "ProbeResult": "lmcore.analysis.probing",
    "Steering": "lmcore.analysis.steering",
    "TokenProbabilities": "lmcore.analysis.probabilities",
    "TunedLens": "lmcore.analysis.tuned_lens",
    "WordAlignment": "lmcore.analysis.alignment",
    "WordInfluence": "lmcore.analysis.influence",
    "ablate": "lmcore.analysis.ablation",
    "align_words": "lmcore.analysis.alignment",
    "attention_maps": "lmcore.analysis.attention",
    "attention_rollout": "lmcore.analysis.attention",
    "attribute": "lmcore.analysis.attribution",
    "attribute_logits": "lmcore.analysis.direct_logits",
    "attribute_texts": "lmcore.analysis.attribution",
    "extract_activations": "lmcore.analysis.activations",
    "find_direction": "lmcore.analysis.steering",
    "find_neurons": "lmcore.analysis.neurons",
    "keep_lens": "lmcore.analysis.kept_lens",
    "kept_lenses": "lmcore.analysis.kept_lens",
    "layer_similarity": "lmcore.analysis.similarity",
    "linear_cka": "lmcore.analysis.similarity",
    "load_lens": "lmcore.analysis.kept_lens",
    "logit_lens": "lmcore.analysis.lens",
    "neuron_tokens": "lmcore.analysis.neurons",
    "patch_activations": "lmcore.analysis.patching",
    "patch_runs": "lmcore.analysis.patching",
    "probe_layers": "lmcore.analysis.probing",
    "steer": "lmcore.analysis.steering",
    "token_probabilities": "lmcore.analysis.probabilities",
    "train_lens": "lmcore.analysis.tuned_lens",
    "word_influence": "lmcore.analysis.influence",
}

__all__ = [
    "Ablation",
    "Activations",
    "AttentionMaps",
    "Attribution",
    "Direction",
    "InfluenceConfig",
    "KeptLens",
    "LayerSimilarity",
    "LogitAttribution",
    "LogitLens",
    "NeuronConfig",
    "NeuronReport",
    "Patching",
    "ProbeResult",
    "Steering",
    "TokenProbabilities",
    "TunedLens",
    "WordAlignment",
    "WordInfluence",
    "ablate",
    "align_words",
    "attention_maps",
    "attention_rollout",
    "attribute",
    "attribute_logits",
    "attribute_texts",
    "extract_activations",
    "find_direction",
    "find_neurons",
    "keep_lens",
    "kept_lenses",
    "layer_similarity",
    "linear_cka",
    "load_lens",
    "logit_lens",
    "neuron_tokens",
    "patch_activations",
    "patch_runs",
    "probe_layers",
    "steer",
    "token_probabilities",
    "train_lens",
    "word_influence",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
