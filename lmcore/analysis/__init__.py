"""Looking inside a model: activations, attention, attribution, likeness of layers, probes."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.activations import Activations, extract_activations
    from lmcore.analysis.alignment import WordAlignment, align_words
    from lmcore.analysis.attention.flow import attention_flow
    from lmcore.analysis.attention.head_contrast import HeadContrast, contrast_heads
    from lmcore.analysis.attention.head_maps import HeadMap, map_heads
    from lmcore.analysis.attention.importance import HeadImportance, head_importance, importance_passes
    from lmcore.analysis.attention.maps import (
        AttentionMaps,
        attention_maps,
        attention_rollout,
        cross_rollout,
        read_attention,
    )
    from lmcore.analysis.attention.roles import HeadRoles, head_roles
    from lmcore.analysis.attribution.attribute import Attribution, attribute, attribute_texts
    from lmcore.analysis.attribution.contrast import Contrast, contrast
    from lmcore.analysis.attribution.cost import AttributionCost, attribution_cost
    from lmcore.analysis.attribution.outputs import OutputAttribution, attribute_output, attribute_outputs
    from lmcore.analysis.attribution.plain_gradients import integrated_gradients
    from lmcore.analysis.causal.ablation import Ablation, ablate
    from lmcore.analysis.causal.patching import Patching, patch_activations, patch_runs
    from lmcore.analysis.causal.steering import Direction, Steering, find_direction, steer
    from lmcore.analysis.concepts.directions import ConceptVectors, concept_vectors
    from lmcore.analysis.concepts.factors import Factors, find_factors
    from lmcore.analysis.concepts.sets import Concept, concept_from_slice, concept_from_words
    from lmcore.analysis.concepts.testing import ConceptTest, tcav
    from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals
    from lmcore.analysis.counterfactual.run import CounterfactualConfig, counterfactuals
    from lmcore.analysis.examples.influence import Checkpoint, Influences, influential_examples
    from lmcore.analysis.examples.nearest import Neighbours, nearest_examples
    from lmcore.analysis.lens.kept import KeptLens, keep_lens, kept_lenses, load_lens
    from lmcore.analysis.lens.logit_lens import LogitLens, logit_lens
    from lmcore.analysis.lens.tuned import TunedLens, train_lens
    from lmcore.analysis.link_errors import AlignmentErrors, alignment_errors
    from lmcore.analysis.neurons.find import find_neurons, neuron_tokens
    from lmcore.analysis.neurons.report import NeuronConfig, NeuronReport
    from lmcore.analysis.over_data.word_influence import InfluenceConfig, WordInfluence, word_influence
    from lmcore.analysis.probabilities import TokenProbabilities, token_probabilities
    from lmcore.analysis.probes.probing import ProbeResult, probe_layers
    from lmcore.analysis.residual.direct_logits import LogitAttribution, attribute_logits
    from lmcore.analysis.residual.shares import StreamShares, part_contributions, stream_contributions
    from lmcore.analysis.similarity import LayerSimilarity, layer_similarity, linear_cka
    from lmcore.analysis.similarity.cca import pwcca, svcca
    from lmcore.analysis.similarity.cka import debiased_cka, rbf_cka
    from lmcore.analysis.similarity.distances import rsa
    from lmcore.analysis.similarity.methods import SIMILARITY
    from lmcore.analysis.similarity.origin import trained_from
    from lmcore.analysis.similarity.rotation import procrustes
    from lmcore.analysis.sizes import layer_sizes
    from lmcore.analysis.suites.cases import Suite
    from lmcore.analysis.suites.comparing import SuiteComparison, compare_runs
    from lmcore.analysis.suites.making import make_suite
    from lmcore.analysis.suites.running import SuiteRun, run_suite
    from lmcore.analysis.suites.suite_store import SuiteStore
    from lmcore.analysis.trust.attention_map import TokenAttention, judged_attention
    from lmcore.analysis.trust.faithfulness import Faithfulness, TrustSettings, measure_faithfulness

_EXPORTS = {
    "SIMILARITY": "lmcore.analysis.similarity.methods",
    "Ablation": "lmcore.analysis.causal.ablation",
    "Activations": "lmcore.analysis.activations",
    "AlignmentErrors": "lmcore.analysis.link_errors",
    "AttentionMaps": "lmcore.analysis.attention.maps",
    "Attribution": "lmcore.analysis.attribution.attribute",
    "AttributionCost": "lmcore.analysis.attribution.cost",
    "Checkpoint": "lmcore.analysis.examples.influence",
    "Concept": "lmcore.analysis.concepts.sets",
    "ConceptTest": "lmcore.analysis.concepts.testing",
    "ConceptVectors": "lmcore.analysis.concepts.directions",
    "Contrast": "lmcore.analysis.attribution.contrast",
    "Counterfactual": "lmcore.analysis.counterfactual.result",
    "CounterfactualConfig": "lmcore.analysis.counterfactual.run",
    "Counterfactuals": "lmcore.analysis.counterfactual.result",
    "Direction": "lmcore.analysis.causal.steering",
    "Factors": "lmcore.analysis.concepts.factors",
    "Faithfulness": "lmcore.analysis.trust.faithfulness",
    "HeadContrast": "lmcore.analysis.attention.head_contrast",
    "HeadImportance": "lmcore.analysis.attention.importance",
    "HeadMap": "lmcore.analysis.attention.head_maps",
    "HeadRoles": "lmcore.analysis.attention.roles",
    "InfluenceConfig": "lmcore.analysis.over_data.word_influence",
    "Influences": "lmcore.analysis.examples.influence",
    "KeptLens": "lmcore.analysis.lens.kept",
    "LayerSimilarity": "lmcore.analysis.similarity",
    "LogitAttribution": "lmcore.analysis.residual.direct_logits",
    "LogitLens": "lmcore.analysis.lens.logit_lens",
    "Neighbours": "lmcore.analysis.examples.nearest",
    "NeuronConfig": "lmcore.analysis.neurons.report",
    "NeuronReport": "lmcore.analysis.neurons.report",
    "OutputAttribution": "lmcore.analysis.attribution.outputs",
    "Patching": "lmcore.analysis.causal.patching",
    "ProbeResult": "lmcore.analysis.probes.probing",
    "Steering": "lmcore.analysis.causal.steering",
    "StreamShares": "lmcore.analysis.residual.shares",
    "Suite": "lmcore.analysis.suites.cases",
    "SuiteComparison": "lmcore.analysis.suites.comparing",
    "SuiteRun": "lmcore.analysis.suites.running",
    "SuiteStore": "lmcore.analysis.suites.suite_store",
    "TokenAttention": "lmcore.analysis.trust.attention_map",
    "TokenProbabilities": "lmcore.analysis.probabilities",
    "TrustSettings": "lmcore.analysis.trust.faithfulness",
    "TunedLens": "lmcore.analysis.lens.tuned",
    "WordAlignment": "lmcore.analysis.alignment",
    "WordInfluence": "lmcore.analysis.over_data.word_influence",
    "ablate": "lmcore.analysis.causal.ablation",
    "align_words": "lmcore.analysis.alignment",
    "alignment_errors": "lmcore.analysis.link_errors",
    "attention_flow": "lmcore.analysis.attention.flow",
    "attention_maps": "lmcore.analysis.attention.maps",
    "attention_rollout": "lmcore.analysis.attention.maps",
    "attribute": "lmcore.analysis.attribution.attribute",
    "attribute_logits": "lmcore.analysis.residual.direct_logits",
    "attribute_output": "lmcore.analysis.attribution.outputs",
    "attribute_outputs": "lmcore.analysis.attribution.outputs",
    "attribute_texts": "lmcore.analysis.attribution.attribute",
    "attribution_cost": "lmcore.analysis.attribution.cost",
    "compare_runs": "lmcore.analysis.suites.comparing",
    "concept_from_slice": "lmcore.analysis.concepts.sets",
    "concept_from_words": "lmcore.analysis.concepts.sets",
    "concept_vectors": "lmcore.analysis.concepts.directions",
    "contrast": "lmcore.analysis.attribution.contrast",
    "contrast_heads": "lmcore.analysis.attention.head_contrast",
    "counterfactuals": "lmcore.analysis.counterfactual.run",
    "cross_rollout": "lmcore.analysis.attention.maps",
    "debiased_cka": "lmcore.analysis.similarity.cka",
    "extract_activations": "lmcore.analysis.activations",
    "find_direction": "lmcore.analysis.causal.steering",
    "find_factors": "lmcore.analysis.concepts.factors",
    "find_neurons": "lmcore.analysis.neurons.find",
    "head_importance": "lmcore.analysis.attention.importance",
    "head_roles": "lmcore.analysis.attention.roles",
    "importance_passes": "lmcore.analysis.attention.importance",
    "influential_examples": "lmcore.analysis.examples.influence",
    "integrated_gradients": "lmcore.analysis.attribution.plain_gradients",
    "judged_attention": "lmcore.analysis.trust.attention_map",
    "keep_lens": "lmcore.analysis.lens.kept",
    "kept_lenses": "lmcore.analysis.lens.kept",
    "layer_similarity": "lmcore.analysis.similarity",
    "layer_sizes": "lmcore.analysis.sizes",
    "linear_cka": "lmcore.analysis.similarity",
    "load_lens": "lmcore.analysis.lens.kept",
    "logit_lens": "lmcore.analysis.lens.logit_lens",
    "make_suite": "lmcore.analysis.suites.making",
    "map_heads": "lmcore.analysis.attention.head_maps",
    "measure_faithfulness": "lmcore.analysis.trust.faithfulness",
    "nearest_examples": "lmcore.analysis.examples.nearest",
    "neuron_tokens": "lmcore.analysis.neurons.find",
    "part_contributions": "lmcore.analysis.residual.shares",
    "patch_activations": "lmcore.analysis.causal.patching",
    "patch_runs": "lmcore.analysis.causal.patching",
    "probe_layers": "lmcore.analysis.probes.probing",
    "procrustes": "lmcore.analysis.similarity.rotation",
    "pwcca": "lmcore.analysis.similarity.cca",
    "rbf_cka": "lmcore.analysis.similarity.cka",
    "read_attention": "lmcore.analysis.attention.maps",
    "rsa": "lmcore.analysis.similarity.distances",
    "run_suite": "lmcore.analysis.suites.running",
    "steer": "lmcore.analysis.causal.steering",
    "stream_contributions": "lmcore.analysis.residual.shares",
    "svcca": "lmcore.analysis.similarity.cca",
    "tcav": "lmcore.analysis.concepts.testing",
    "token_probabilities": "lmcore.analysis.probabilities",
    "train_lens": "lmcore.analysis.lens.tuned",
    "trained_from": "lmcore.analysis.similarity.origin",
    "word_influence": "lmcore.analysis.over_data.word_influence",
}

__all__ = [
    "SIMILARITY",
    "Ablation",
    "Activations",
    "AlignmentErrors",
    "AttentionMaps",
    "Attribution",
    "AttributionCost",
    "Checkpoint",
    "Concept",
    "ConceptTest",
    "ConceptVectors",
    "Contrast",
    "Counterfactual",
    "CounterfactualConfig",
    "Counterfactuals",
    "Direction",
    "Factors",
    "Faithfulness",
    "HeadContrast",
    "HeadImportance",
    "HeadMap",
    "HeadRoles",
    "InfluenceConfig",
    "Influences",
    "KeptLens",
    "LayerSimilarity",
    "LogitAttribution",
    "LogitLens",
    "Neighbours",
    "NeuronConfig",
    "NeuronReport",
    "OutputAttribution",
    "Patching",
    "ProbeResult",
    "Steering",
    "StreamShares",
    "Suite",
    "SuiteComparison",
    "SuiteRun",
    "SuiteStore",
    "TokenAttention",
    "TokenProbabilities",
    "TrustSettings",
    "TunedLens",
    "WordAlignment",
    "WordInfluence",
    "ablate",
    "align_words",
    "alignment_errors",
    "attention_flow",
    "attention_maps",
    "attention_rollout",
    "attribute",
    "attribute_logits",
    "attribute_output",
    "attribute_outputs",
    "attribute_texts",
    "attribution_cost",
    "compare_runs",
    "concept_from_slice",
    "concept_from_words",
    "concept_vectors",
    "contrast",
    "contrast_heads",
    "counterfactuals",
    "cross_rollout",
    "debiased_cka",
    "extract_activations",
    "find_direction",
    "find_factors",
    "find_neurons",
    "head_importance",
    "head_roles",
    "importance_passes",
    "influential_examples",
    "integrated_gradients",
    "judged_attention",
    "keep_lens",
    "kept_lenses",
    "layer_similarity",
    "layer_sizes",
    "linear_cka",
    "load_lens",
    "logit_lens",
    "make_suite",
    "map_heads",
    "measure_faithfulness",
    "nearest_examples",
    "neuron_tokens",
    "part_contributions",
    "patch_activations",
    "patch_runs",
    "probe_layers",
    "procrustes",
    "pwcca",
    "rbf_cka",
    "read_attention",
    "rsa",
    "run_suite",
    "steer",
    "stream_contributions",
    "svcca",
    "tcav",
    "token_probabilities",
    "train_lens",
    "trained_from",
    "word_influence",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
