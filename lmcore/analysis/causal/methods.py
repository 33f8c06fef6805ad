"""The parts of a model that causal tests can be about, and what is put in their place."""

from lmcore.methods import Method, Registry

_PATCHING = "lmcore.analysis.causal.patching:patch_activations"
PATCHING = Registry(
    "part to patch",
    Method(
        "residual", "Residual stream", "All that a layer passes on at a token: what is known there by then.", _PATCHING
    ),
    Method("attention", "Attention output", "What a layer's self-attention adds at a token.", _PATCHING),
    Method(
        "cross_attention", "Cross-attention output", "What a decoder's look at the encoder adds at a token.", _PATCHING
    ),
    Method("mlp", "MLP output", "What a layer's MLP adds at a token.", _PATCHING),
    Method("heads", "Heads", "What one head adds, at all tokens at once.", _PATCHING),
    Method("cross_heads", "Cross-attention heads", "What one head of a decoder's look at the encoder adds.", _PATCHING),
)

_ABLATION = "lmcore.analysis.causal.ablation:ablate"
ABLATED = Registry(
    "part to take out",
    Method("heads", "Heads", "One head at a time, at all tokens.", _ABLATION),
    Method("attention", "Attention", "The self-attention of one layer, at all tokens.", _ABLATION),
    Method("cross_attention", "Cross-attention", "A decoder's look at the encoder in one layer.", _ABLATION),
    Method("cross_heads", "Cross-attention heads", "One head of that at a time.", _ABLATION),
    Method("mlp", "MLP", "The MLP of one layer, at all tokens.", _ABLATION),
    Method("layers", "Layers", "All that one layer adds, so that it is passed over.", _ABLATION),
    Method("tokens", "Tokens", "What stands for one token before the first layer.", _ABLATION),
)
ABLATIONS = Registry(
    "ablation",
    Method("mean", "Mean", "Puts the part's mean over the reference texts in its place.", _ABLATION),
    Method(
        "resample",
        "Resample",
        "Puts what the part gives at tokens drawn from the reference texts in its place, and averages over the draws.",
        _ABLATION,
    ),
    Method("zero", "Zero", "Puts zeros in the place of what a part gives.", _ABLATION),
)
